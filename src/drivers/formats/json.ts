/** Strict JSON with positions, and edits that change only the bytes they mean. The library underneath is jsonc-parser. */
export {
  type JsonDocument,
  type JsonNode,
  type JsonOptions,
  type JsonPath,
  type JsonPosition,
  type JsonType,
  parseJson,
} from './json-document.ts';
export { removeJson, setJson } from './json-edit.ts';
