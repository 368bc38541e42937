import { VERSION } from '../../src/core/version.ts';
import { type CommandFacts, NOTICE, type OptionFacts } from './commands.ts';

/** The day of the last change of the pages' own text. */
const DATE = '2026-11-21';

const MOST_COLUMNS = 76;

/** Text for roff, in lines of a width that can be read in a diff. */
export function prose(text: string): string {
  return roff(text.replaceAll(new RegExp(`(.{1,${MOST_COLUMNS}})(?: |$)`, 'g'), '$1\n').trimEnd());
}

/** As it stands: no line can become a request, and a hyphen is one that can be copied. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('µ', '\\(mc')
    .replace(/^(['.])/gm, '\\&$1');
}

export function head(name: string, description: string): string {
  return [
    `.\\" ${NOTICE}`,
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} 1 ${DATE} "slicectl ${VERSION}"`,
    '.SH NAME',
    prose(`${name} - ${description}`),
  ].join('\n');
}

function optionItem({ names, placeholder, help, choices }: OptionFacts): string {
  const value = placeholder === undefined ? '' : ` \\fI${roff(placeholder)}\\fR`;
  const term = names.map((name) => `\\fB${roff(name)}\\fR${value}`).join(', ');
  const words = choices.length > 0 ? ` One of ${choices.join(', ')}.` : '';
  return `.TP\n${term}\n${prose(`${sentence(help)}.${words}`)}`;
}

export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

export function options(command: CommandFacts, heading: '.SH' | '.SS'): string {
  const groups = [...new Set(command.options.map(({ group }) => group))];
  const title = (group: string): string => (heading === '.SH' ? group.toUpperCase() : group);
  return groups
    .map((group) => {
      const own = command.options.filter((option) => option.group === group);
      return `${heading} ${title(group)}\n${own.map(optionItem).join('\n')}`;
    })
    .join('\n');
}

export function items(list: readonly (readonly [term: string, text: string])[]): string {
  return list.map(([term, text]) => `.TP\n\\fB${roff(term)}\\fR\n${prose(text)}`).join('\n');
}

export function examples(list: readonly (readonly [text: string, command: string])[]): string {
  return list
    .map(
      ([text, command], index) =>
        `${index === 0 ? '' : '.PP\n'}${prose(text)}\n.PP\n.nf\n.RS\n${roff(command)}\n.RE\n.fi`,
    )
    .join('\n');
}
