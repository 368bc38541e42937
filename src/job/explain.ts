import type { Controller } from '../core/properties/row.ts';
import type { ControlFiles } from '../host/control-files.ts';

/** Why a control file is not there, and what to do about it. */
export function explainMissing(
  limit: string,
  controller: Controller,
  file: string,
  files: ControlFiles,
): { text: string; hint: string } {
  const text = (why: string): string => `${limit} is not in force: ${why}`;
  if (files.version === 1) {
    if (files.folder(controller) !== undefined) {
      return { text: text(`this kernel has no ${file}`), hint: 'leave it out, or give --best-effort' };
    }
    return {
      text: text(`the job has no group in a v1 hierarchy of the ${controller} controller`),
      hint: 'see /proc/self/mountinfo for the hierarchies, or give --best-effort',
    };
  }
  if (words(files.read(controller, 'cgroup.controllers')).includes(controller)) {
    return { text: text(`this kernel has no ${file}`), hint: 'leave it out, or give --best-effort' };
  }
  const chain = [files, ...files.ancestors(controller)];
  const top = chain.at(-1);
  if (!words(top?.read(controller, 'cgroup.controllers')).includes(controller)) {
    return {
      text: text(
        `the ${controller} controller is not in ${top?.path ?? '/'} of cgroup v2: it is mounted as v1, disabled, or kept by the host`,
      ),
      hint: `see /proc/cgroups and the kernel's command line (cgroup_disable=), or give --best-effort`,
    };
  }
  const holder =
    chain.find((group) => words(group.read(controller, 'cgroup.controllers')).includes(controller))?.path ?? '/';
  const user = /\/user@(\d+)\.service/.exec(files.path);
  if (user && holder.length <= files.path.indexOf(user[0]) + user[0].length) {
    const dropIn = '/etc/systemd/system/user@.service.d/delegate.conf';
    return {
      text: text(`the ${controller} controller is not delegated to the user manager`),
      hint: `as root: mkdir -p ${dropIn.slice(0, dropIn.lastIndexOf('/'))}; printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' > ${dropIn}; systemctl daemon-reload; systemctl restart user@${user[1]}.service`,
    };
  }
  return {
    text: text(`the ${controller} controller reaches ${holder} and is not enabled below it`),
    hint: 'look for DisableControllers= or Delegate= of the units above, or give --best-effort',
  };
}

function words(content: string | undefined): string[] {
  return (content ?? '').split(/\s+/);
}
