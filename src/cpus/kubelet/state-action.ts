import { readState, sameState } from '../../change/file-step.ts';
import type { Action, ActionStep, ActionTable, FileState, Parameters, Step } from '../../change/plan.ts';
import { SlicectlError } from '../../core/errors.ts';
import { DISK } from '../../host/disk.ts';
import { forget, type Place, putBack, replaceFile } from '../../host/replace-file.ts';
import type { RootTree } from '../../host/root-tree.ts';

const NAME = 'cpus.kubelet-state';

/**
 * The step that removes the state of the CPU manager while the kubelet stands still, which then makes it anew. No file
 * step, since what the kubelet has written meanwhile is in nobody's way back: an undo puts the old state there, which is
 * the one that fits the old configuration.
 */
export function forgetStateStep(path: string): Step & ActionStep {
  return {
    kind: 'action',
    action: NAME,
    parameters: { path },
    does: `remove ${path}, which the kubelet makes anew`,
    doesBack: `bring back ${path} as it was`,
    subjects: [path],
    purpose: 'the CPU manager does not start on the state of another configuration',
  };
}

/** What {@link forgetStateStep} means on this host. */
export function kubeletActions(tree: RootTree, uid: number): ActionTable {
  const placeOf = ({ path }: Parameters): Place => ({
    tree,
    target: tree.follow(String(path)),
    tag: 'kubelet',
    uid,
    disk: DISK,
  });
  const action: Action = {
    assertAsPlanned: async ({ path }) => {
      readState(tree, String(path));
    },
    facts: async ({ path }) => ({ before: toJson(readState(tree, String(path))) }),
    carryOut: async (parameters) => {
      const now = readState(tree, String(parameters.path));
      if (now.exists) replaceFile(placeOf(parameters), now, undefined);
      forget(placeOf(parameters));
      return undefined;
    },
    takeBack: async (parameters, { before }) => {
      const was = fromJson(before);
      if (sameState(readState(tree, String(parameters.path)), was)) return;
      putBack(placeOf(parameters), was.exists ? was : undefined);
    },
  };
  return { [NAME]: action };
}

function toJson(state: FileState): unknown {
  if (!state.exists) return null;
  const { bytes, mode, uid, gid } = state;
  return { base64: Buffer.from(bytes).toString('base64'), mode, uid, gid };
}

function fromJson(value: unknown): FileState {
  if (value === null) return { exists: false };
  const { base64, mode, uid, gid } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof base64 === 'string' && typeof mode === 'number' && typeof uid === 'number' && typeof gid === 'number') {
    return { exists: true, bytes: new Uint8Array(Buffer.from(base64, 'base64')), mode, uid, gid };
  }
  throw new SlicectlError('E_HISTORY', 'the record of the change does not say what the state of the kubelet was');
}
