import process from 'node:process';
import { isatty } from 'node:tty';
import { styleText } from 'node:util';
import type { Lease } from '../../cpus/lease/record.ts';
import { openLeases, readLeases } from '../../cpus/lease/store.ts';
import { readCpuReport } from '../../cpus/show.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import { HOST } from '../../host/paths.ts';
import { readSelf, type Self } from '../../host/self.ts';
import { print, tell } from '../output.ts';
import { showJson } from '../render/cpus-json.ts';
import type { Paint } from '../render/cpus-picture.ts';
import { showText } from '../render/cpus-show.ts';
import { errorLine } from '../render/error.ts';

export interface ShowOptions {
  readonly json?: boolean;
}

/** Where stdout is no terminal, or does not say how wide it is. */
const USUAL_WIDTH = 80;

/** `slicectl cpus show`. */
export async function show({ json }: ShowOptions): Promise<number> {
  const host = await openHost({ self: readSelf() });
  try {
    const { tree, live } = host;
    const report = await readCpuReport({ paths: HOST, tree, system: live?.system, leases: leasesOf(host.self) });
    print(
      json
        ? showJson(report)
        : showText(report, { width: (isatty(1) && process.stdout.columns) || USUAL_WIDTH, paint: painter() }),
    );
    return 0;
  } finally {
    closeHost(host);
  }
}

/** Also those that root holds; leases that cannot be read are told of. */
function leasesOf(self: Self): readonly Lease[] {
  const hasPlace = self.uid === 0 || self.env.XDG_RUNTIME_DIR;
  const { held, faults } = readLeases(openLeases(hasPlace ? self : { ...self, uid: 0 }, HOST));
  for (const fault of faults) tell(errorLine(fault));
  return held;
}

function painter(): Paint {
  const isColoured = isatty(1) && !process.env.NO_COLOR;
  return (style, text) => (isColoured ? styleText(style, text) : text);
}
