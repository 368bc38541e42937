import { posix } from 'node:path';
import { readState } from '../../change/file-step.ts';
import type { Action, PresentFile } from '../../change/plan.ts';
import { DISK } from '../../host/disk.ts';
import { makeFolders, missingFolders, removeFolders } from '../../host/made-folders.ts';
import { forget, putBack } from '../../host/replace-file.ts';
import { KERNEL_BEFORE_PATH } from '../kernel-before.ts';
import type { HoldHost } from './host.ts';
import type { BeforeParameters } from './parameters.ts';

const ROOT = 0;

interface BeforeFacts {
  readonly text: string | null;
  readonly folders: readonly string[];
}

/**
 * `cpus.before`: writes down what kernel settings were. No file step: the file goes with the boot, and `slicectl cpus
 * apply` makes it anew, which must be in nobody's way back.
 */
export function beforeAction({ tree }: HoldHost): Action {
  const target = (): string => tree.follow(KERNEL_BEFORE_PATH);
  const now = (): string | null => tree.text(KERNEL_BEFORE_PATH) ?? null;
  const put = (text: string | null): void => {
    const place = { tree, target: target(), tag: 'before', uid: ROOT, disk: DISK };
    const owner = tree.ownerOf(posix.dirname(place.target));
    const file: PresentFile = { exists: true, bytes: Buffer.from(text ?? ''), mode: 0o644, ...owner };
    if (text !== null) makeFolders(tree, missingFolders(tree, place.target), ROOT, DISK);
    if (text === null && now() === null) forget(place);
    else putBack(place, text === null ? undefined : file);
  };
  return {
    assertAsPlanned: async () => {
      readState(tree, KERNEL_BEFORE_PATH);
    },
    facts: async () => ({ text: now(), folders: missingFolders(tree, target()) }),
    async carryOut(parameters) {
      put((parameters as unknown as BeforeParameters).text);
      return undefined;
    },
    async takeBack(parameters, facts) {
      const { text } = parameters as unknown as BeforeParameters;
      const { text: was, folders } = facts as unknown as BeforeFacts;
      // What was written since knows of all that is kept now; with the first of them nothing is.
      if (was === null || [text, null].includes(now())) put(was);
      removeFolders(tree, folders, ROOT, DISK);
    },
  };
}
