import { defineConfig } from 'vitest/config';

// unit: pure code, private buses and temporary folders. host: this machine's own kernel and terminal.
// lab: containers and emulated machines, two files at a time: a container is waiting for most of the time, and an
// emulated machine keeps one CPU busy. Each file has machines of its own.
// A state that comes by itself is waited for long, since it comes late on a machine that is busy.
export default defineConfig({
  test: {
    reporters: ['default', './test/summary.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{core,dbus,host,backend,change,job,drivers,cpus,cli,house,docs,types}/**/*.test.ts'],
          testTimeout: 30_000,
          expect: { poll: { timeout: 20_000 } },
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'host',
          include: ['test/on-host/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
          expect: { poll: { timeout: 60_000 } },
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          maxWorkers: 2,
          testTimeout: 1_200_000,
          hookTimeout: 1_800_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
