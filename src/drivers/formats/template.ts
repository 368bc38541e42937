/** The way out for a file with places that a program such as Ansible, Terraform or Go's text/template should have filled in. */
export const TEMPLATE_HINT = 'this is a template that nothing has filled in: put the value there, or fill it in first';

/** Whether a text has such a place: `{{ x }}`, `{% if x %}`, `${x}`, `<%= x %>`. */
export function isTemplate(text: string): boolean {
  return /\{\{|\{%|\$\{|<%/.test(text);
}

/** Whether the line of an offset has one. */
export function isTemplateAt(text: string, offset: number): boolean {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  return isTemplate(text.slice(start, end === -1 ? undefined : end));
}
