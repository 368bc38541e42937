import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { contentOf, NO_JOBS, scratch, until } from './run-support.ts';
import { closeTerminals, NO_TERMINAL, Terminal } from './run-terminal.ts';

const WHY_NOT = NO_JOBS ?? NO_TERMINAL;

/** A job that says READY, then counts what it catches until `stop` is there. */
const COUNTER = `
n=0; trap 'n=$((n+1)); echo "caught INT $n"' INT; trap 'echo caught TERM' TERM
echo $$ > "$1/pid"; echo READY
while [ -d "$1" ] && [ ! -e "$1/stop" ]; do sleep 0.05; done
echo "in all $n"`;

describe.skipIf(WHY_NOT)(`slicectl run in a terminal${WHY_NOT ? ` (${WHY_NOT})` : ''}`, () => {
  afterAll(closeTerminals);

  it('ends the job with status 130 on Ctrl-C', async () => {
    await using terminal = await Terminal.open('int');
    terminal.line('slicectl run -q -- sh -c "echo READY; exec sleep 100"');
    await terminal.shows(/^READY$/m);
    terminal.press('C-c');
    await terminal.shows(/\^C\nready>$/);
    terminal.line('echo status=$?');
    await terminal.shows(/^status=130$/m);
  });

  it('brings one SIGINT to the job for each Ctrl-C', async () => {
    using folder = scratch();
    writeFileSync(folder.file('job.sh'), COUNTER);
    await using terminal = await Terminal.open('count');
    terminal.line(`slicectl run -q -- sh ${folder.file('job.sh')} ${folder.path}`);
    await terminal.shows(/^READY$/m);
    terminal.press('C-c');
    await terminal.shows(/caught INT 1$/m);
    terminal.press('C-c');
    await terminal.shows(/caught INT 2$/m);
    writeFileSync(folder.file('stop'), '');
    await terminal.shows(/^in all 2$/m);
  });

  it('ends a loop of the shell on Ctrl-C', async () => {
    await using terminal = await Terminal.open('loop');
    terminal.line('for i in 1 2 3; do slicectl run -q -- sh -c "echo READY $i; exec cat"; done');
    await terminal.shows(/^READY 1$/m);
    terminal.press('C-c');
    await terminal.shows(/\^C\nready>$/);
    terminal.line('echo end');
    const [screen] = await terminal.shows(/[\s\S]*^end$/m);
    expect(screen).not.toMatch(/^READY 2$/m);
  });

  it('ends the job with status 131 on Ctrl-\\', async () => {
    await using terminal = await Terminal.open('quit');
    terminal.line('ulimit -c 0; slicectl run -q -- sh -c "echo READY; exec sleep 100"');
    await terminal.shows(/^READY$/m);
    terminal.press('C-\\');
    await terminal.shows(/\^\\(Quit)?\n*.*ready>$/);
    terminal.line('echo status=$?');
    await terminal.shows(/^status=131$/m);
  });

  it('stops with the job on Ctrl-Z, and goes on with it on fg and bg', async () => {
    using folder = scratch();
    writeFileSync(folder.file('job.sh'), COUNTER);
    await using terminal = await Terminal.open('stop');
    terminal.line(`slicectl run -q -- sh ${folder.file('job.sh')} ${folder.path}`);
    await terminal.shows(/^READY$/m);
    terminal.press('C-z');
    await terminal.shows(/Stopped .*\nready>$/);
    await terminal.isInState(folder.file('pid'), 'T');
    terminal.line('fg');
    await terminal.isInState(folder.file('pid'), 'S');
    terminal.press('C-z');
    await terminal.isInState(folder.file('pid'), 'T');
    await terminal.shows(/Stopped [\s\S]*Stopped .*\nready>$/);
    terminal.line('bg');
    await terminal.isInState(folder.file('pid'), 'S');
    terminal.line('kill %1');
    await terminal.shows(/caught TERM/);
    writeFileSync(folder.file('stop'), '');
    const [screen] = await terminal.shows(/[\s\S]*in all 0/);
    expect(screen.match(/caught TERM/g)).toHaveLength(1);
  });

  it('is seen as stopped when the job stops itself', async () => {
    await using terminal = await Terminal.open('self');
    terminal.line("slicectl run -q -- sh -c 'kill -TSTP $$; echo back'");
    await terminal.shows(/Stopped .*\nready>$/);
    terminal.line('fg');
    await terminal.shows(/^back$/m);
  });

  it('hosts an interactive shell with job control of its own, and its suspend', async () => {
    await using terminal = await Terminal.open('inner');
    terminal.line('PS1="inner> " slicectl run -q -- bash --norc --noprofile -i');
    await terminal.shows(/inner>$/);
    terminal.line('sleep 100');
    await terminal.isOf('sleep');
    terminal.press('C-z');
    await terminal.shows(/Stopped +sleep 100\ninner>$/);
    terminal.line('kill -KILL %1; wait; suspend');
    await terminal.shows(/Stopped .*\nready>$/);
    terminal.line('fg');
    await terminal.shows(/inner>$/);
    terminal.line('exit 7');
    await terminal.shows(/exit\nready>$/);
    terminal.line('echo status=$?');
    await terminal.shows(/^status=7$/m);
  });

  it('lets the job read from the terminal up to the end of the file', async () => {
    await using terminal = await Terminal.open('read');
    terminal.line('slicectl run -q -- sh -c \'echo READY; read word; echo "got $word"; cat; echo END\'');
    await terminal.shows(/^READY$/m);
    terminal.line('first');
    await terminal.shows(/^got first$/m);
    terminal.line('second');
    await terminal.shows(/^second\nsecond$/m);
    terminal.press('C-d');
    await terminal.shows(/^END$/m);
  });

  it('is stopped when the job reads from the terminal in the background', async () => {
    await using terminal = await Terminal.open('ttin');
    terminal.line('slicectl run -q -- cat & until [ "$(jobs -s)" ]; do sleep 0.1; done; jobs -s');
    await terminal.shows(/Stopped .*cat/);
    terminal.line('fg');
    await terminal.isOf('cat');
    terminal.line('words');
    await terminal.shows(/^words\nwords$/m);
    terminal.press('C-d');
    await terminal.shows(/words\nready>$/);
  });

  it('leaves the terminal as the job set it', async () => {
    await using terminal = await Terminal.open('stty');
    terminal.line(
      'stty echoctl; slicectl run -q -- stty -echoctl tostop; stty -a | tr " ;" "\\n\\n" | grep -E "echoctl|tostop"',
    );
    await terminal.shows(/^tostop\n-echoctl$|^-echoctl\ntostop$/m);
  });

  it('shows the job the size of the terminal and a program in raw mode', async () => {
    using folder = scratch();
    writeFileSync(folder.file('text'), `${Array.from({ length: 200 }, (_, i) => `line ${i + 1}`).join('\n')}\n`);
    await using terminal = await Terminal.open('raw');
    terminal.line('slicectl run -q -- stty size');
    await terminal.shows(/^40 100$/m);
    terminal.line(`slicectl run -q -- less ${folder.file('text')}`);
    await terminal.shows(/^line 39$/m);
    terminal.press('G');
    await terminal.shows(/^line 200$/m);
    terminal.press('q');
    await terminal.shows(/ready>$/);
  });

  it('brings the hang-up of the terminal to the job, once', async () => {
    using folder = scratch();
    const job = `trap 'echo hup >> ${folder.file('log')}' HUP; echo $$ > ${folder.file('pid')}; echo READY; i=0
      while [ -d ${folder.path} ] && [ ! -s ${folder.file('log')} ]; do sleep 0.05; done; sleep 0.5; echo end >> ${folder.file('log')}`;
    writeFileSync(folder.file('job.sh'), job);
    const terminal = await Terminal.open('hangup');
    terminal.line("alias exec='exec '");
    terminal.line(`exec slicectl run -q -- sh ${folder.file('job.sh')}`);
    await terminal.shows(/^READY$/m);
    await terminal[Symbol.asyncDispose]();
    await until('the job has ended', () => contentOf(folder.file('log')).includes('end'));
    expect(contentOf(folder.file('log'))).toBe('hup\nend\n');
  });
});
