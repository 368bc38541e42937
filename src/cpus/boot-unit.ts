import { BOOT_UNIT, OWN_UNIT_MARK } from './own-files.ts';

/** The unit that slicectl writes where no package installed one; `program` are the words that start slicectl. */
export function bootUnitText(program: readonly string[]): string {
  return `${OWN_UNIT_MARK}, since no package has installed it. slicectl cpus release removes it.
[Unit]
Description=Bring back what systemd does not keep of CPU reservations over a boot
Documentation=man:slicectl-cpus(1)
After=dbus.socket
Before=docker.service containerd.service crio.service kubelet.service libvirtd.service multi-user.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${execLine([...program, 'cpus', 'apply', '--quiet'])}
`;
}

/**
 * The unit that a payload slice starts whenever it starts: what the kernel forgot with its group comes back. A change that
 * starts the slice itself is waited for.
 */
export function againUnitText(program: readonly string[]): string {
  return `${OWN_UNIT_MARK}. slicectl cpus release removes it.
[Unit]
Description=Make a slice of a CPU reservation a partition again that was stopped
Documentation=man:slicectl-cpus(1)
After=dbus.socket ${BOOT_UNIT}

[Service]
Type=oneshot
ExecStart=${execLine([...program, 'cpus', 'apply', '--quiet', '--partitions'])}
`;
}

/** Words as ExecStart= takes them: quoted where they need it, and nothing in them is a variable or a specifier. */
export function execLine(words: readonly string[]): string {
  return words
    .map((word) => word.replaceAll('%', '%%').replaceAll('$', '$$$$'))
    .map((word) => (/^[\w@%+=:,./$-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`))
    .join(' ');
}
