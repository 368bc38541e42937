/** What a task's files in /proc say. */
export interface FakeTask {
  readonly name?: string;
  readonly flags?: number;
  readonly allowed?: string;
  readonly cpu?: number;
  readonly cgroup?: string;
  readonly involuntary?: number;
  readonly startTicks?: number;
  /** How long it ran, by the scheduler's own count. */
  readonly ranMs?: number;
}

export function taskFiles(pid: number, tid: number, task: FakeTask): Record<string, string> {
  const {
    name = 'x',
    flags = 0,
    allowed = '0-7',
    cpu = 0,
    cgroup = '0::/\n',
    involuntary = 0,
    startTicks = 0,
    ranMs = 0,
  } = task;
  const zeros = (count: number): string => Array(count).fill(0).join(' ');
  const files = {
    cgroup,
    schedstat: `${ranMs * 1e6} 0 1\n`,
    stat: `${tid} (${name}) S 1 1 1 0 -1 ${flags} ${zeros(12)} ${startTicks} ${zeros(16)} ${cpu} 0 0\n`,
    status: `Name:\t${name}\nTgid:\t${pid}\nCpus_allowed:\tff\nCpus_allowed_list:\t${allowed}\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t${involuntary}\n`,
  };
  // A thread has a folder of its own beside that of its process, though no listing shows it.
  const folders = [`proc/${pid}/task/${tid}`, `proc/${tid}`];
  return {
    [`proc/${pid}/cgroup`]: cgroup,
    ...Object.fromEntries(
      folders.flatMap((folder) => Object.entries(files).map(([file, text]) => [`${folder}/${file}`, text])),
    ),
  };
}

/** The cgroup.threads of v2 that belong to these files of tasks. */
export function threadLists(files: Readonly<Record<string, string>>): Record<string, string> {
  const lists: Record<string, string> = {};
  for (const [path, text] of Object.entries(files)) {
    const tid = /^proc\/\d+\/task\/(\d+)\/cgroup$/.exec(path)?.[1];
    const group = /^0::\/(.*)$/m.exec(text)?.[1];
    if (tid === undefined || group === undefined) continue;
    const list = `sys/fs/cgroup/${group === '' ? '' : `${group}/`}cgroup.threads`;
    lists[list] = `${lists[list] ?? ''}${tid}\n`;
  }
  return lists;
}
