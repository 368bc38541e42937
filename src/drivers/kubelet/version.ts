import { execFile } from 'node:child_process';
import { posix } from 'node:path';
import { promisify } from 'node:util';
import { packageVersion } from '../../host/packages.ts';
import type { DriverHost } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';

const DEADLINE_MS = 5_000;
/** kubelet of the project and most distributions; Debian's, Fedora's and Alpine's other names. */
const PACKAGES = ['kubelet', 'kubernetes-node', 'kubernetes-kubelet', 'kubernetes'];

/** The kubelet's version: its own word where it can be run, else what is assumed, else the package's. */
export async function kubeletVersion(host: DriverHost, command: ServiceCommand): Promise<string | undefined> {
  const program = command.program?.text;
  const own = host.live && program !== undefined ? await ask(program) : undefined;
  return own ?? host.assumed.get('kubelet') ?? packageVersion(host.tree, PACKAGES)?.version;
}

/** `Kubernetes v1.31.2` → `1.31.2`. */
async function ask(program: string): Promise<string | undefined> {
  if (!posix.isAbsolute(program) || posix.basename(program) !== 'kubelet') return undefined;
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: DEADLINE_MS });
    return /^Kubernetes v(\S+)/m.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}
