import { resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname, '../..');

/** What `import … from 'slicectl'` offers, a line for each name and for each member of it, as the compiler sees it. */
export function publicSurface(): string {
  const config = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  const entry = resolve(ROOT, 'src/index.ts');
  const program = ts.createProgram([entry], { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error('src/index.ts has no exports');
  const exported = checker.getExportsOfModule(module).map((symbol) => describe(checker, symbol, source));
  // Where a type is declared is no part of the promise.
  return exported
    .sort()
    .join('\n')
    .replace(/import\("[^"]*"\)\./g, '');
}

const FLAGS =
  ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.InTypeAlias | ts.TypeFormatFlags.WriteArrayAsGenericType;

function describe(checker: ts.TypeChecker, symbol: ts.Symbol, source: ts.SourceFile): string {
  const own = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const text = (type: ts.Type): string => checker.typeToString(type, source, FLAGS);
  if (own.flags & ts.SymbolFlags.Class) {
    const made = checker.getDeclaredTypeOfSymbol(own);
    const statics = checker.getTypeOfSymbol(own);
    return [
      `class ${symbol.name}`,
      ...members(checker, statics, source, 'static '),
      ...members(checker, made, source),
    ].join('\n');
  }
  if (own.flags & ts.SymbolFlags.Interface) {
    return [`interface ${symbol.name}`, ...members(checker, checker.getDeclaredTypeOfSymbol(own), source)].join('\n');
  }
  if (own.flags & ts.SymbolFlags.TypeAlias)
    return `type ${symbol.name} = ${text(checker.getDeclaredTypeOfSymbol(own))}`;
  return `const ${symbol.name}: ${text(checker.getTypeOfSymbolAtLocation(own, source))}`;
}

function members(checker: ts.TypeChecker, type: ts.Type, source: ts.SourceFile, prefix = ''): string[] {
  return checker
    .getPropertiesOfType(type)
    .filter((member) => isOurs(member) && member.name !== 'prototype')
    .map((member) => {
      const mark = member.flags & ts.SymbolFlags.Optional ? '?' : '';
      const text = checker.typeToString(checker.getTypeOfSymbolAtLocation(member, source), source, FLAGS);
      return `  ${prefix}${member.name}${mark}: ${text}`;
    });
}

/** Not those that every Error and function has, and not private ones. */
function isOurs(member: ts.Symbol): boolean {
  const declaration = member.declarations?.[0];
  if (!declaration?.getSourceFile().fileName.startsWith(`${ROOT}/src/`)) return false;
  const isHidden = ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
  return !isHidden && !/^(__)?#/.test(member.name);
}
