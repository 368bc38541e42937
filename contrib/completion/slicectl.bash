# bash completion for slicectl; made by `npm run generate` from the command tree and the property table; do not edit

SLICECTL_PROPERTIES=$(printf '%s=\n' CPUQuota CPUQuotaPeriodSec CPUWeight AllowedCPUs AllowedMemoryNodes MemoryMin MemoryLow MemoryHigh MemoryMax MemorySwapMax MemoryZSwapMax TasksMax IOWeight IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax IODeviceLatencyTargetSec RuntimeMaxSec TimeoutStopSec OOMPolicy)

_slicectl_profiles() {
  local folder file
  for folder in "${XDG_CONFIG_HOME:-$HOME/.config}/slicectl/profiles" /etc/slicectl/profiles; do
    for file in "$folder"/*.ini; do
      [[ -e $file ]] || continue
      file=${file##*/}
      printf '%s\n' "${file%.ini}"
    done
  done
}

_slicectl_offer() {
  mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$2" -- "$1")
}

_slicectl_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$2" -- "$1")
}

# The value of the option $1 that begins with $2.
_slicectl_value() {
  local value=$2
  case $1 in
    -p|--property) _slicectl_offer "$value" "$SLICECTL_PROPERTIES"; compopt -o nospace 2>/dev/null ;;
    --profile) if [[ $value == */* || $value == .* ]]; then _slicectl_files "$value" -f; else _slicectl_offer "$value" "$(_slicectl_profiles)"; fi ;;
    --backend) _slicectl_offer "$value" 'auto systemd cgroup-v2 cgroup-v1' ;;
    --leftover) _slicectl_offer "$value" 'leave kill wait' ;;
    --uid) mapfile -t COMPREPLY < <(compgen -u -- "$value") ;;
    --gid) mapfile -t COMPREPLY < <(compgen -g -- "$value") ;;
    -d|--working-directory) _slicectl_files "$value" -d ;;
    --output) _slicectl_offer "$value" 'terminal journal' ;;
    --expand-environment) _slicectl_offer "$value" 'yes no' ;;
    --receipt) _slicectl_offer "$value" 'text json none' ;;
    --receipt-file) _slicectl_files "$value" -f ;;
    --runtime) _slicectl_offer "$value" 'docker containerd crio podman cri-dockerd kubelet k3s rke2 microk8s' ;;
    --root) _slicectl_files "$value" -d ;;
    --to) _slicectl_offer "$value" 'systemd cgroupfs' ;;
    --expect) _slicectl_offer "$value" 'systemd cgroupfs' ;;
    --partition) _slicectl_offer "$value" 'root isolated' ;;
    --save) _slicectl_files "$value" -f ;;
    --against) _slicectl_files "$value" -f ;;
    --svg) _slicectl_files "$value" -f ;;
  esac
}

_slicectl() {
  COMPREPLY=()
  # bash cuts words at "=": they are joined again, and at[] keeps where each one began.
  local -a words=() at=()
  local i word glue=
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ ($word == = || -n $glue) && ${#words[@]} -gt 1 ]]; then
      words[${#words[@]}-1]+=$word
      [[ $word == = && -z $glue ]] && glue=1 || glue=
    else
      words+=("$word")
      at+=("$i")
    fi
  done
  local last=$((${#words[@]} - 1)) command= taker=
  local cur=${words[last]}
  for ((i = 1; i < last; i++)); do
    word=${words[i]}
    if [[ -z $command ]]; then
      [[ $word == -* ]] || command=$word
      continue
    fi
    case $word in
      --cpu|--weight|--cpu-request|--cpus|--memory|--swap|--tasks|--timeout|-p|--property|--profile|--slice|--unit|--description|--backend|--leftover|--exclusive|--numa-node|--reservation|--uid|--gid|-d|--working-directory|-E|--setenv|--nice|--output|--expand-environment|--receipt|--receipt-file|--runtime|--root|--assume|--to|--expect|--cores|--avoid|--for|--keep|--while-unit|--partition|--window|--measure|--limit|--save|--against|--svg) if ((i + 1 == last)); then taker=$word; fi; ((i++)); continue ;;
      --) [[ $command == run ]] || continue; _slicectl_command "$((i + 1))"; return ;;
      -*) continue ;;
    esac
    case $command in
      run) _slicectl_command "$i"; return ;;
      driver|cpus) command+=" $word" ;;
    esac
  done
  if [[ -n $taker ]]; then
    # Of Name=value, readline replaces what follows the "=".
    [[ $cur == *=* ]] || _slicectl_value "$taker" "$cur"
    return
  fi
  if [[ -n $command && $cur == --*=* ]]; then
    _slicectl_value "${cur%%=*}" "${cur#*=}"
    return
  fi
  case $command in
    '') if [[ $cur == -* ]]; then _slicectl_offer "$cur" '-V --version -h --help'; else _slicectl_offer "$cur" 'run history undo resume sweep driver cpus help'; fi ;;
    help) _slicectl_offer "$cur" 'run history undo resume sweep driver cpus' ;;
    driver) _slicectl_offer "$cur" 'status align check' ;;
    cpus) _slicectl_offer "$cur" 'show reserve release apply audit' ;;
    'run') if [[ $cur == -* ]]; then _slicectl_offer "$cur" '--cpu --weight --cpu-request --cpus --memory --swap --tasks --timeout -p --property --profile --best-effort --limits-env --slice --slice-inherit --unit --description --user --system --backend --leftover --exclusive --numa-node --reservation --uid --gid -d --working-directory -E --setenv --nice --service --wait --collect --output --expand-environment -n --dry-run --receipt --receipt-file --json -q --quiet -h --help'; else _slicectl_command "$last"; fi ;;
    'driver status') _slicectl_offer "$cur" '--runtime --root --assume --json -h --help' ;;
    'driver align') _slicectl_offer "$cur" '--to -n --dry-run -y --yes --live-restore --stop-containers --drained --runtime --root --assume --json -h --help' ;;
    'driver check') _slicectl_offer "$cur" '--expect -q --quiet --runtime --root --assume --json -h --help' ;;
    'cpus show') _slicectl_offer "$cur" '--json -h --help' ;;
    'cpus reserve') _slicectl_offer "$cur" '--cpus --cores --numa-node --whole-cores --llc --avoid --for --keep --kubelet --drained --while-unit --runtime --memory-nodes --partition --irqs --workqueues --kernel-threads -n --dry-run -y --yes --json -h --help' ;;
    'cpus release') _slicectl_offer "$cur" '-n --dry-run -y --yes --ended --json -h --help' ;;
    'cpus apply') _slicectl_offer "$cur" '-q --quiet --partitions -h --help' ;;
    'cpus audit') _slicectl_offer "$cur" '--window --fix -n --dry-run -y --yes --watch --json --measure --cpus --limit --fifo --save --against --svg -h --help' ;;
    'history') _slicectl_offer "$cur" '--root --json -h --help' ;;
    'undo') _slicectl_offer "$cur" '-n --dry-run -y --yes --keep-changed --root --json -h --help' ;;
    'resume') _slicectl_offer "$cur" '-n --dry-run -y --yes --root --json -h --help' ;;
    'sweep') _slicectl_offer "$cur" '--user --system --json -h --help' ;;
  esac
}

# The command that is to run and its arguments, from word $1 on: as if it stood alone.
_slicectl_command() {
  if declare -F _comp_command_offset >/dev/null; then
    _comp_command_offset "${at[$1]}"
  elif declare -F _command_offset >/dev/null; then
    _command_offset "${at[$1]}"
  elif (($1 == last)) && [[ $cur != */* ]]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$cur")
  else
    _slicectl_files "$cur" -f
  fi
}

complete -F _slicectl slicectl
