/**
 * Expands variables in arguments as systemd does (systemd.service(5), "Command lines"): `${NAME}` anywhere in a word by
 * its exact value, `$NAME` only as a whole word, split at blanks into any number of words, `$$` by `$`. What is not set
 * counts as empty.
 */
export function expandWords(words: readonly string[], env: Readonly<Record<string, string | undefined>>): string[] {
  return words.flatMap((word) => {
    const whole = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(word)?.[1];
    if (whole !== undefined) return (env[whole] ?? '').split(/\s+/).filter((part) => part !== '');
    return [
      word.replace(/\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name?: string) => (name ? (env[name] ?? '') : '$')),
    ];
  });
}
