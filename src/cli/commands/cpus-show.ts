import process from 'node:process';
import { isatty } from 'node:tty';
import { styleText } from 'node:util';
import { readCpuReport } from '../../cpus/show.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import { HOST } from '../../host/paths.ts';
import { readSelf } from '../../host/self.ts';
import { print } from '../output.ts';
import { showJson } from '../render/cpus-json.ts';
import type { Paint } from '../render/cpus-picture.ts';
import { showText } from '../render/cpus-show.ts';

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
    const report = await readCpuReport({ paths: HOST, tree, system: live?.system });
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

function painter(): Paint {
  const isColoured = isatty(1) && !process.env.NO_COLOR;
  return (style, text) => (isColoured ? styleText(style, text) : text);
}
