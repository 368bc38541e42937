import { readState } from '../../change/file-step.ts';
import type { Action } from '../../change/plan.ts';
import { DISK } from '../../host/disk.ts';
import { missingFolders, removeFolders } from '../../host/made-folders.ts';
import { KERNEL_BEFORE_PATH } from '../kernel-before.ts';
import { UNMOVED_PATH } from '../unmoved.ts';
import type { HoldHost } from './host.ts';
import type { BeforeParameters } from './parameters.ts';
import { putRunFile, ROOT } from './run-file.ts';

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
  const put = (text: string | null): void => putRunFile(tree, KERNEL_BEFORE_PATH, text);
  return {
    assertAsPlanned: async () => {
      readState(tree, KERNEL_BEFORE_PATH);
    },
    facts: async () => ({ text: now(), folders: missingFolders(tree, target()) }),
    async carryOut(parameters) {
      const { text } = parameters as unknown as BeforeParameters;
      put(text);
      // With the last reservation goes what it could not move.
      if (text === null) putRunFile(tree, UNMOVED_PATH, null);
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
