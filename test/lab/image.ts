import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineSpec } from './catalogue.ts';
import { installFor, mirror } from './install.ts';
import { withLock } from './lock.ts';
import { cacheFolder } from './paths.ts';
import { run } from './process.ts';
import {
  dockerScript,
  familyOf,
  hashOf,
  idleDockerScript,
  initrdScript,
  machineScript,
  type Recipe,
  recipeOf,
  setupScript,
} from './recipe.ts';
import { imagesInUse } from './record.ts';

/** Where the image of this machine is, or will be once it is built. */
export function imageFolder(spec: MachineSpec): string {
  const recipe = recipeOf(spec);
  return join(cacheFolder(), `${familyOf(recipe)}-${hashOf(recipe)}`);
}

/** In a container's image folder: `tree`. */
export const treeOf = (image: string): string => join(image, 'tree');

/** In an emulated machine's image folder: all that it boots from and the key that opens it. */
export const diskOf = (image: string) => ({
  disk: join(image, 'disk.raw'),
  kernel: join(image, 'vmlinuz'),
  initrd: join(image, 'initrd'),
  key: join(image, 'id_ed25519'),
});

/**
 * Builds the image unless it is there. An image gets its name by a rename when it is whole, so an interrupted build
 * is never used; older images of the same family go, unless a machine runs on them.
 */
export async function ensureImage(spec: MachineSpec, say: (line: string) => void): Promise<string> {
  await installFor(spec.kind);
  const recipe = recipeOf(spec);
  const family = familyOf(recipe);
  const image = imageFolder(spec);
  if (existsSync(image)) return image;
  return withLock(join(cacheFolder(), `${family}.lock`), async () => {
    if (existsSync(image)) return image;
    const started = Date.now();
    say(`building ${family} (once; some minutes)`);
    const siblings = () => readdirSync(cacheFolder()).filter((name) => name.startsWith(`${family}-`));
    for (const name of siblings().filter((each) => each.endsWith('.partial'))) remove(name);
    const partial = `${image}.partial`;
    mkdirSync(partial, { mode: 0o700 });
    await (recipe.kind === 'container' ? buildTree(recipe, partial) : buildDisk(recipe, partial));
    renameSync(partial, image);
    const kept = new Set([image, ...imagesInUse()]);
    for (const name of siblings().filter((each) => !kept.has(join(cacheFolder(), each)))) remove(name);
    say(`built ${family} in ${Math.round((Date.now() - started) / 1000)} s`);
    return image;
  });
}

const remove = (name: string): void => rmSync(join(cacheFolder(), name), { recursive: true, force: true });

async function buildTree(recipe: Recipe, folder: string): Promise<void> {
  await bootstrap(recipe, folder, []);
}

async function buildDisk(recipe: Recipe, folder: string): Promise<void> {
  const { disk, key } = diskOf(folder);
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'slicectl-lab', '-f', key]);
  await copyFile(process.execPath, join(folder, 'node'));
  await bootstrap(recipe, folder, [
    ...(recipe.flavour === 'docker' ? [`--customize-hook=sh '${idleDockerScript}' "$1"`] : []),
    `--essential-hook=sh '${initrdScript}' "$1"`,
    `--customize-hook=sh '${machineScript}' "$1" '${folder}'`,
  ]);
  await run(['truncate', '--size=6G', disk]);
  await run(['mkfs.ext4', '-q', '-F', '-d', treeOf(folder), disk]);
  rmSync(treeOf(folder), { recursive: true });
  rmSync(join(folder, 'node'));
}

async function bootstrap(recipe: Recipe, folder: string, hooks: readonly string[]): Promise<void> {
  await run(
    [
      'mmdebstrap',
      '--quiet',
      '--variant=minbase',
      '--format=directory',
      `--include=${recipe.packages.join(',')}`,
      ...recipe.options,
      `--customize-hook=sh '${setupScript}' "$1"`,
      ...(recipe.flavour === 'docker' ? [`--customize-hook=sh '${dockerScript}' "$1"`] : []),
      ...hooks,
      recipe.suite,
      treeOf(folder),
      await mirror(),
    ],
    { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } },
  );
}
