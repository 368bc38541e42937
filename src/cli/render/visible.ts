/** Text from outside for a terminal: what moves the cursor or turns the direction of the text is spelt out. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (c) => (c === '\r' ? '^M' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

const UNSEEN = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
