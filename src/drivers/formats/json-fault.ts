import type { ParseError } from 'jsonc-parser';
import { quote } from '../../core/errors.ts';

export interface JsonFault {
  readonly offset: number;
  /** One sentence. */
  readonly message: string;
  readonly hint?: string;
}

/** The library's codes, by their meaning; its `ParseErrorCode` is a const enum, which has no value at run time. */
const CODE = {
  invalidSymbol: 1,
  invalidNumber: 2,
  keyExpected: 3,
  valueExpected: 4,
  colonExpected: 5,
  commaExpected: 6,
  braceExpected: 7,
  bracketExpected: 8,
  endExpected: 9,
  comment: 10,
  endOfComment: 11,
  endOfString: 12,
  endOfNumber: 13,
  unicode: 14,
  escape: 15,
  character: 16,
};

const BEGINNINGS: readonly { readonly begins: RegExp; readonly what: string; readonly hint: string }[] = [
  {
    begins: /^<(!doctype|html|head|body|\?xml|!--)/i,
    what: 'it begins like an HTML page, not like JSON',
    hint: 'it was probably downloaded wrongly: put the right file in its place',
  },
  {
    begins: /^(#!|(sudo\s+)?(cat|tee|echo|mkdir)\s)/,
    what: 'it begins like a shell script, not like JSON',
    hint: 'the commands were probably pasted into the file: leave only what is between { and }',
  },
  {
    begins: /^(<<<<<<<|=======|>>>>>>>)/,
    what: 'it holds the mark of an unfinished merge',
    hint: 'choose one side of the merge and remove the marks',
  },
  { begins: /^#/, what: 'it holds a comment with "#", which JSON does not have', hint: 'remove the comment' },
  { begins: /^[“”„‟«»]/, what: 'a typographic quotation mark', hint: 'JSON has only the plain one: "' },
  { begins: /^['‘’`]/, what: 'text is in single quotes', hint: 'JSON has only double quotes: "' },
  { begins: /^\u00a0/, what: 'a non-breaking space (U+00A0)', hint: 'write a plain space in its place' },
  {
    begins: /^[\u2000-\u200f\u202f\u205f-\u2064\u3000\ufeff]/,
    what: 'a space or mark that cannot be seen',
    hint: 'remove it',
  },
];

/** Says in words what is wrong at the first error of a text. */
export function faultOf(text: string, error: ParseError): JsonFault {
  const rest = text.slice(error.offset);
  const at = error.offset + (rest.length - rest.trimStart().length) * (error.error === CODE.endExpected ? 1 : 0);
  const here = text.slice(at);
  if (text.trim() === '') {
    return { offset: 0, message: 'the file is empty', hint: 'write {} into it, or remove it' };
  }
  const special = BEGINNINGS.find(({ begins }) => begins.test(here));
  if (special) return { offset: at, message: special.what, hint: special.hint };
  return { offset: at, ...plain(text, at, here, error.error) };
}

function plain(text: string, at: number, here: string, code: number): Omit<JsonFault, 'offset'> {
  const before = text.slice(0, at).trimEnd();
  const close = /^[}\]]/.exec(here)?.[0];
  if (here.startsWith('//') || here.startsWith('/*')) {
    return { message: 'a comment, which JSON does not have', hint: 'remove the comment' };
  }
  if (close && before.endsWith(',')) {
    return { message: `a comma before ${quote(close)}`, hint: 'remove the comma after the last element' };
  }
  if (here.trim() === '') {
    return { message: 'the file ends before its JSON does', hint: `it is cut off, or ${missing(text)} is missing` };
  }
  switch (code) {
    case CODE.endExpected:
      return /^[{[]/.test(here)
        ? { message: 'a second JSON value begins here', hint: 'join the two into one pair of { }' }
        : after(here);
    case CODE.commaExpected:
      return { message: `a comma is missing before ${word(here)}` };
    case CODE.colonExpected:
      return { message: `a colon is missing before ${word(here)}` };
    case CODE.endOfString:
      return { message: `the text ${word(here)} does not end on its line`, hint: 'close it with a "' };
    case CODE.escape:
    case CODE.unicode:
      return { message: `an escape in ${word(here)} that JSON does not have`, hint: 'write a backslash as \\\\' };
    case CODE.character:
      return {
        message: `a control character in ${word(here)}`,
        hint: 'write it as an escape, such as \\t, or remove it',
      };
    case CODE.invalidNumber:
    case CODE.endOfNumber:
      return { message: `${word(here)} is no number of JSON` };
    case CODE.keyExpected:
      return { message: `${word(here)} where a key should be`, hint: 'a key is in double quotes' };
    case CODE.invalidSymbol:
      if (isWhole(before)) return after(here);
      if (/^[\w.$-]+\s*:/.test(here)) {
        return { message: `the key ${word(here)} is not in double quotes`, hint: 'a key is in double quotes' };
      }
      return {
        message: `${word(here)} is no value of JSON`,
        hint: 'text is in double quotes; true, false and null are small',
      };
    case CODE.braceExpected:
    case CODE.bracketExpected:
      return { message: `${word(here)} where the list or object should go on or end` };
    default:
      return { message: `${word(here)} where a value should be` };
  }
}

function after(here: string): Omit<JsonFault, 'offset'> {
  return { message: `text follows the end of the JSON: ${word(here)}`, hint: 'remove what is after the end' };
}

function isWhole(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The bracket that is open at the end of a text. */
function missing(text: string): string {
  const open: string[] = [];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{' || token === '[') open.push(token);
    else if (token === '}' || token === ']') open.pop();
  }
  return open.at(-1) === '[' ? 'a ]' : open.at(-1) === '{' ? 'a }' : 'a value';
}

/** What stands at the beginning of a text, short enough for a sentence. */
function word(here: string): string {
  const found = /^(?:"(?:[^"\\\n\r]|\\.)*"?|[\p{L}\p{N}_$.+-]+|.)/su.exec(here)?.[0] ?? '';
  const plainText = found.startsWith('"') ? found.replaceAll('"', '') : found;
  return quote(plainText.length > 40 ? `${plainText.slice(0, 40)}…` : plainText);
}
