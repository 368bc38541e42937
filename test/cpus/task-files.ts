/** What a task's files in /proc say. */
export interface FakeTask {
  readonly name?: string;
  readonly flags?: number;
  readonly allowed?: string;
  readonly cpu?: number;
  readonly cgroup?: string;
  readonly involuntary?: number;
}

export function taskFiles(pid: number, tid: number, task: FakeTask): Record<string, string> {
  const { name = 'x', flags = 0, allowed = '0-7', cpu = 0, cgroup = '0::/\n', involuntary = 0 } = task;
  const folder = `proc/${pid}/task/${tid}`;
  const zeros = Array(27).fill(0).join(' ');
  return {
    [`proc/${pid}/cgroup`]: cgroup,
    [`${folder}/cgroup`]: cgroup,
    [`${folder}/stat`]: `${tid} (${name}) S 1 1 1 0 -1 ${flags} ${zeros} 0 0 ${cpu} 0 0\n`,
    [`${folder}/status`]: `Name:\t${name}\nCpus_allowed:\tff\nCpus_allowed_list:\t${allowed}\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t${involuntary}\n`,
  };
}
