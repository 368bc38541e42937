import { errnoOf, SlicectlError } from '../../core/errors.ts';
import type { HostPaths } from '../../host/paths.ts';
import { cyclictestCommand, parseCyclictest } from './cyclictest.ts';
import type { Target, ToolResult } from './model.ts';
import { type Output, outputOf, type Places } from './place.ts';
import { hasTimerlat, parseRtla, rtlaCommand } from './rtla.ts';
import type { ToolRun } from './tool.ts';

export interface ToolsRun extends Omit<ToolRun, 'cpus'> {
  readonly paths: HostPaths;
  readonly places: Places;
  readonly targets: readonly Target[];
  readonly onProgress: (text: string) => void;
}

export interface ToolsRan {
  readonly tools: readonly ToolResult[];
  /** Why one that is installed could not be used. */
  readonly notes: readonly string[];
}

/**
 * Runs cyclictest and rtla where they are installed and usable, in the same places as the probes and after them: at one
 * time each would be the other's disturbance.
 */
export async function runTools(run: ToolsRun): Promise<ToolsRan> {
  const tools: ToolResult[] = [];
  const notes: string[] = [];
  const attempt = async (name: string, work: () => Promise<ToolResult | string | undefined>): Promise<void> => {
    const result = await work().catch((error: unknown) => {
      if (error instanceof SlicectlError && error.code !== 'E_ABORTED') return `${name}: ${error.message}`;
      throw error;
    });
    if (typeof result === 'string') notes.push(result);
    else if (result) tools.push(result);
  };
  await attempt('cyclictest', () => runCyclictest(run));
  if (hasTimerlat(run.paths)) await attempt('rtla', () => runRtla(run));
  return { tools, notes };
}

/** All CPUs of one place are measured by one process. */
async function runCyclictest(run: ToolsRun): Promise<ToolResult | string | undefined> {
  const slices = [...new Set(run.targets.map(({ slice }) => slice))];
  if (!(await isInstalled(run.places, ['cyclictest', '--help']))) return undefined;
  run.onProgress(`cyclictest for ${run.seconds} s`);
  const parts = await Promise.all(
    slices.map(async (slice) => {
      const cpus = run.targets.filter((target) => target.slice === slice).map(({ cpu }) => cpu);
      const command = cyclictestCommand({ ...run, cpus });
      const output = await outputOf(await run.places.start(slice, command));
      return { cpus, command, output };
    }),
  );
  const failed = parts.find(({ output }) => output.code !== 0);
  if (failed) return whyNot('cyclictest', failed.output);
  const cpus = parts.flatMap((part) => parseCyclictest(part.output.stdout, part.cpus));
  return { name: 'cyclictest', command: parts[0]?.command ?? [], cpus: cpus.sort((a, b) => a.cpu - b.cpu) };
}

/** The tracer's threads are the kernel's own, which no slice holds. */
async function runRtla(run: ToolsRun): Promise<ToolResult | string | undefined> {
  if (!(await isInstalled(run.places, ['rtla', '--help']))) return undefined;
  run.onProgress(`rtla for ${run.seconds} s`);
  const command = rtlaCommand({ ...run, cpus: run.targets.map(({ cpu }) => cpu) });
  const output = await outputOf(await run.places.start(undefined, command));
  if (output.code !== 0) return whyNot('rtla', output);
  return { name: 'rtla timerlat', command, cpus: parseRtla(output.stdout) };
}

async function isInstalled(places: Places, command: readonly string[]): Promise<boolean> {
  try {
    await outputOf(await places.start(undefined, command));
    return true;
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

function whyNot(name: string, { code, stderr }: Output): string {
  const why = stderr.trim().split('\n').at(-1);
  return `${name} did not work: ${why || (code === null ? 'it was killed' : `exit status ${code}`)}`;
}
