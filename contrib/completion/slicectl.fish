# fish completion for slicectl; made by `npm run generate` from the command tree and the property table; do not edit

function __slicectl_profiles
    set -l config $HOME/.config
    set -q XDG_CONFIG_HOME; and set config $XDG_CONFIG_HOME
    for file in $config/slicectl/profiles/*.ini /etc/slicectl/profiles/*.ini
        string replace -r '.*/(.*)\.ini$' '$1' -- $file
    end
end

function __slicectl_needs_command
    test (count (string match -v -- '-*' (commandline -opc))) -eq 1
end

function __slicectl_needs_member
    set -l words (string match -v -- '-*' (commandline -opc))
    test (count $words) -eq 2; and test "$words[2]" = $argv[1]
end

# The words of the command that is to run and its arguments, nothing before it begins.
function __slicectl_job
    set -l words (commandline -opc)
    set -e words[1]
    test "$words[1]" = run; or return
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case --cpu --weight --cpu-request --cpus --memory --swap --tasks --timeout -p --property --profile --slice --unit --description --backend --leftover --exclusive --numa-node --reservation --uid --gid -d --working-directory -E --setenv --nice --output --expand-environment --receipt --receipt-file
                set -e words[1]
                set -q words[1]; or return
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    set -q words[1]; and printf '%s\n' $words
end

function __slicectl_options_of
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]; or return
    test (count $argv) -eq 1; or test "$words[3]" = $argv[2]; or return
    test (count (__slicectl_job)) -eq 0
end

function __slicectl_complete_job
    set -l job (__slicectl_job)
    if set -q job[1]
        complete -C (string join ' ' -- (string escape -- $job) (commandline -ct))
    else
        __fish_complete_command
    end
end

complete -c slicectl -f
complete -c slicectl -n '__fish_seen_subcommand_from run' -a '(__slicectl_complete_job)'
complete -c slicectl -n '__slicectl_needs_command' -s V -l version -d 'output the version number'
complete -c slicectl -n '__slicectl_needs_command' -s h -l help -d 'display help for command'
complete -c slicectl -n __slicectl_needs_command -a run -d 'run a command under limits, and say what it used and why it ended'
complete -c slicectl -n __slicectl_needs_command -a history -d 'list the lasting changes that slicectl made, or show one of them'
complete -c slicectl -n __slicectl_needs_command -a undo -d 'take a change back: the last one, or the one that was interrupted'
complete -c slicectl -n __slicectl_needs_command -a resume -d 'finish a change that was interrupted'
complete -c slicectl -n __slicectl_needs_command -a sweep -d 'remove the empty groups that a killed slicectl left behind'
complete -c slicectl -n __slicectl_needs_command -a driver -d 'see and align the cgroup drivers of Docker, containerd, CRI-O, podman and the kubelet'
complete -c slicectl -n __slicectl_needs_command -a cpus -d 'keep everything else off the CPUs of a slice: see, reserve, prove, audit, give back'
complete -c slicectl -n '__slicectl_needs_member driver' -a status -d 'show which driver each runtime has now and at its next start, and where that is set'
complete -c slicectl -n '__slicectl_needs_member driver' -a align -d 'give all runtimes one driver: plan, preview, apply, prove; slicectl undo takes it back'
complete -c slicectl -n '__slicectl_needs_member driver' -a check -d 'end with 0 if every runtime has the driver that is expected, else with 3'
complete -c slicectl -n '__slicectl_needs_member cpus' -a show -d 'show packages, NUMA nodes, caches and cores, and who may run where'
complete -c slicectl -n '__slicectl_needs_member cpus' -a reserve -d 'give a slice CPUs of its own: plan, preview, apply, prove; slicectl undo takes it back'
complete -c slicectl -n '__slicectl_needs_member cpus' -a release -d 'give the CPUs of a slice back to the system'
complete -c slicectl -n '__slicectl_needs_member cpus' -a apply -d 'bring the host to what its reservations want, for the boot; 3 where that fails'
complete -c slicectl -n '__slicectl_needs_member cpus' -a audit -d 'find who may run and who ran on payload CPUs, and what undid a reservation; ends with 3 if any'
complete -c slicectl -n '__slicectl_options_of run' -l cpu -x -d 'CPU time: 50%, 1.5 (CPUs) or 1500m'
complete -c slicectl -n '__slicectl_options_of run' -l weight -x -d 'CPU weight 1 to 10000, or idle'
complete -c slicectl -n '__slicectl_options_of run' -l cpu-request -x -d 'CPU weight by a Kubernetes CPU request: 50m or 0.5'
complete -c slicectl -n '__slicectl_options_of run' -l cpus -x -d 'CPUs to run on: 0-3,8'
complete -c slicectl -n '__slicectl_options_of run' -l memory -x -d 'memory: 1G, 512M, 512Mi, 25%'
complete -c slicectl -n '__slicectl_options_of run' -l swap -x -d 'swap: 0, 1G'
complete -c slicectl -n '__slicectl_options_of run' -l tasks -x -d 'processes and threads: 64, 10%'
complete -c slicectl -n '__slicectl_options_of run' -l timeout -x -d 'end the job after: 90, 10min, 1h 30min'
complete -c slicectl -n '__slicectl_options_of run' -s p -l property -x -a 'CPUQuota= CPUQuotaPeriodSec= CPUWeight= AllowedCPUs= AllowedMemoryNodes= MemoryMin= MemoryLow= MemoryHigh= MemoryMax= MemorySwapMax= MemoryZSwapMax= TasksMax= IOWeight= IODeviceWeight= IOReadBandwidthMax= IOWriteBandwidthMax= IOReadIOPSMax= IOWriteIOPSMax= IODeviceLatencyTargetSec= RuntimeMaxSec= TimeoutStopSec= OOMPolicy=' -d 'a limit by its systemd name; may be repeated'
complete -c slicectl -n '__slicectl_options_of run' -l profile -r -a '(__slicectl_profiles)' -d 'limits from a profile: a name or a path; may be repeated'
complete -c slicectl -n '__slicectl_options_of run' -l best-effort -d 'run even when a limit cannot be held; say which'
complete -c slicectl -n '__slicectl_options_of run' -l limits-env -d 'tell the job in its environment how much it may use'
complete -c slicectl -n '__slicectl_options_of run' -l slice -x -d 'the slice to run in, such as build.slice'
complete -c slicectl -n '__slicectl_options_of run' -l slice-inherit -d 'put --slice below the slice of the caller'
complete -c slicectl -n '__slicectl_options_of run' -l unit -x -d 'the name of the unit'
complete -c slicectl -n '__slicectl_options_of run' -l description -x -d 'the description of the unit'
complete -c slicectl -n '__slicectl_options_of run' -l user -d 'ask the user manager (default for everybody but root)'
complete -c slicectl -n '__slicectl_options_of run' -l system -d 'ask the system manager (default for root)'
complete -c slicectl -n '__slicectl_options_of run' -l backend -x -a 'auto systemd cgroup-v2 cgroup-v1' -d 'how to hold the job'
complete -c slicectl -n '__slicectl_options_of run' -l leftover -x -a 'leave kill wait' -d 'processes that outlive the command'
complete -c slicectl -n '__slicectl_options_of run' -l exclusive -x -d 'lease this many free whole cores, which no other job that leases gets'
complete -c slicectl -n '__slicectl_options_of run' -l numa-node -x -d 'with --exclusive: cores of this node'
complete -c slicectl -n '__slicectl_options_of run' -l reservation -x -d 'with --exclusive: cores that slicectl cpus reserved for this slice'
complete -c slicectl -n '__slicectl_options_of run' -l uid -x -a '(__fish_complete_users)' -d 'run as this user, with its groups'
complete -c slicectl -n '__slicectl_options_of run' -l gid -x -a '(__fish_complete_groups)' -d 'run as this group'
complete -c slicectl -n '__slicectl_options_of run' -s d -l working-directory -x -a '(__fish_complete_directories)' -d 'start in this folder'
complete -c slicectl -n '__slicectl_options_of run' -s E -l setenv -x -d 'set a variable, or pass NAME on; may be repeated'
complete -c slicectl -n '__slicectl_options_of run' -l nice -x -d 'nice level, -20 to 19'
complete -c slicectl -n '__slicectl_options_of run' -l service -d 'run as a transient service, which systemd starts'
complete -c slicectl -n '__slicectl_options_of run' -l wait -d 'wait for the service; its exit status is slicectl\'s'
complete -c slicectl -n '__slicectl_options_of run' -l collect -d 'unload the service even after it failed'
complete -c slicectl -n '__slicectl_options_of run' -l output -x -a 'terminal journal' -d 'where the output of the service goes'
complete -c slicectl -n '__slicectl_options_of run' -l expand-environment -x -a 'yes no' -d 'expand $NAME in the arguments (default no)'
complete -c slicectl -n '__slicectl_options_of run' -s n -l dry-run -d 'print what would be sent and written, and do nothing'
complete -c slicectl -n '__slicectl_options_of run' -l receipt -x -a 'text json none' -d 'the receipt on stderr (default: text on a terminal)'
complete -c slicectl -n '__slicectl_options_of run' -l receipt-file -r -F -d 'write the receipt to a file, as JSON unless --receipt says otherwise'
complete -c slicectl -n '__slicectl_options_of run' -l json -d 'the same as --receipt json; with --dry-run the plan as JSON'
complete -c slicectl -n '__slicectl_options_of run' -s q -l quiet -d 'no messages of slicectl, only the job\'s own output'
complete -c slicectl -n '__slicectl_options_of run' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of driver status' -l runtime -x -a 'docker containerd crio podman cri-dockerd kubelet k3s rke2 microk8s' -d 'only this runtime; may be repeated'
complete -c slicectl -n '__slicectl_options_of driver status' -l root -x -a '(__fish_complete_directories)' -d 'look at the tree below this folder, in which nothing runs'
complete -c slicectl -n '__slicectl_options_of driver status' -l assume -x -d 'the version of a runtime that is or will be installed, such as docker=28.5; may be repeated'
complete -c slicectl -n '__slicectl_options_of driver status' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of driver status' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of driver align' -l to -x -a 'systemd cgroupfs' -d 'the driver for all of them'
complete -c slicectl -n '__slicectl_options_of driver align' -s n -l dry-run -d 'print the plan and do nothing'
complete -c slicectl -n '__slicectl_options_of driver align' -s y -l yes -d 'do not ask'
complete -c slicectl -n '__slicectl_options_of driver align' -l live-restore -d 'switch Docker\'s live-restore on first, so that its containers survive the restart'
complete -c slicectl -n '__slicectl_options_of driver align' -l stop-containers -d 'allow a restart of Docker that stops containers which nobody starts again'
complete -c slicectl -n '__slicectl_options_of driver align' -l drained -d 'allow a change under the kubelet: the node is drained'
complete -c slicectl -n '__slicectl_options_of driver align' -l runtime -x -a 'docker containerd crio podman cri-dockerd kubelet k3s rke2 microk8s' -d 'only this runtime; may be repeated'
complete -c slicectl -n '__slicectl_options_of driver align' -l root -x -a '(__fish_complete_directories)' -d 'look at the tree below this folder, in which nothing runs'
complete -c slicectl -n '__slicectl_options_of driver align' -l assume -x -d 'the version of a runtime that is or will be installed, such as docker=28.5; may be repeated'
complete -c slicectl -n '__slicectl_options_of driver align' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of driver align' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of driver check' -l expect -x -a 'systemd cgroupfs' -d 'the driver that all should have'
complete -c slicectl -n '__slicectl_options_of driver check' -s q -l quiet -d 'print nothing'
complete -c slicectl -n '__slicectl_options_of driver check' -l runtime -x -a 'docker containerd crio podman cri-dockerd kubelet k3s rke2 microk8s' -d 'only this runtime; may be repeated'
complete -c slicectl -n '__slicectl_options_of driver check' -l root -x -a '(__fish_complete_directories)' -d 'look at the tree below this folder, in which nothing runs'
complete -c slicectl -n '__slicectl_options_of driver check' -l assume -x -d 'the version of a runtime that is or will be installed, such as docker=28.5; may be repeated'
complete -c slicectl -n '__slicectl_options_of driver check' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of driver check' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of cpus show' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of cpus show' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l cpus -x -d 'these payload CPUs, such as 2-3,6-7'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l cores -x -d 'that many whole cores, chosen by the topology'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l numa-node -x -d 'all on this node'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l whole-cores -d 'refuse CPUs of --cpus that split a core'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l llc -d 'all below one last-level cache'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l avoid -x -d 'none of these'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l for -x -d 'the payload slice, such as db.slice'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l keep -x -d 'leave this top-level slice as it is; may be repeated'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l kubelet -d 'for the pods of this node: the kubelet is told the same sets'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l drained -d 'allow a change of the kubelet: the node is drained'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l while-unit -x -d 'release it when this unit ends'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l runtime -d 'until reboot'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l memory-nodes -d 'confine the memory of the payload slice to the NUMA nodes of its CPUs'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l partition -x -a 'root isolated' -d 'make the payload slice a partition, whose CPUs leave all other groups'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l irqs -d 'keep device interrupts on system CPUs'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l workqueues -d 'keep the kernel\'s unbound workers on system CPUs'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l kernel-threads -d 'keep kernel threads that can be moved on system CPUs'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -s n -l dry-run -d 'print the plan and do nothing'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -s y -l yes -d 'do not ask'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of cpus reserve' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of cpus release' -s n -l dry-run -d 'print the plan and do nothing'
complete -c slicectl -n '__slicectl_options_of cpus release' -s y -l yes -d 'do not ask'
complete -c slicectl -n '__slicectl_options_of cpus release' -l ended -d 'only if the unit of --while-unit has ended; for the service that waits for that'
complete -c slicectl -n '__slicectl_options_of cpus release' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of cpus release' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of cpus apply' -s q -l quiet -d 'say only what was not done'
complete -c slicectl -n '__slicectl_options_of cpus apply' -l partitions -d 'only slices that are to be partitions, once no change is at work; for when one starts anew'
complete -c slicectl -n '__slicectl_options_of cpus apply' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l window -x -d 'watch for so long who runs there; 0 to leave that out'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l fix -d 'plan what mends it, and apply that'
complete -c slicectl -n '__slicectl_options_of cpus audit' -s n -l dry-run -d 'with --fix: print the plan and do nothing'
complete -c slicectl -n '__slicectl_options_of cpus audit' -s y -l yes -d 'with --fix: do not ask'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l watch -d 'go on, and tell what becomes wrong or right again'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l json -d 'print as JSON; with --watch an object a line'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l measure -x -d 'measure how late tasks wake up, on payload CPUs and on as many system CPUs'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l cpus -x -d 'on these CPUs'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l limit -x -d 'count wake-ups that are later'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l fifo -d 'with real-time scheduling'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l save -r -F -d 'write the measurement as JSON'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l against -r -F -d 'show it beside one that was saved before'
complete -c slicectl -n '__slicectl_options_of cpus audit' -l svg -r -F -d 'draw it'
complete -c slicectl -n '__slicectl_options_of cpus audit' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of history' -l root -x -a '(__fish_complete_directories)' -d 'the changes of the tree below this folder'
complete -c slicectl -n '__slicectl_options_of history' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of history' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of undo' -s n -l dry-run -d 'print what would be done and do nothing'
complete -c slicectl -n '__slicectl_options_of undo' -s y -l yes -d 'do not ask'
complete -c slicectl -n '__slicectl_options_of undo' -l keep-changed -d 'leave what somebody changed since as it is'
complete -c slicectl -n '__slicectl_options_of undo' -l root -x -a '(__fish_complete_directories)' -d 'the changes of the tree below this folder'
complete -c slicectl -n '__slicectl_options_of undo' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of undo' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of resume' -s n -l dry-run -d 'print what would be done and do nothing'
complete -c slicectl -n '__slicectl_options_of resume' -s y -l yes -d 'do not ask'
complete -c slicectl -n '__slicectl_options_of resume' -l root -x -a '(__fish_complete_directories)' -d 'the changes of the tree below this folder'
complete -c slicectl -n '__slicectl_options_of resume' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of resume' -s h -l help -d 'display help for command'
complete -c slicectl -n '__slicectl_options_of sweep' -l user -d 'those of the user manager'
complete -c slicectl -n '__slicectl_options_of sweep' -l system -d 'those of the system manager'
complete -c slicectl -n '__slicectl_options_of sweep' -l json -d 'print as JSON'
complete -c slicectl -n '__slicectl_options_of sweep' -s h -l help -d 'display help for command'
