export { parseToml, type TomlDocument, type TomlEntry, type TomlTable, type TomlValue } from './toml-document.ts';
export { removeToml, setToml, type TomlScalar } from './toml-edit.ts';
