/** Reader of Parquet files and their compression. Heavy: load it by `import()` only. @module */

export {
  type AsyncBuffer,
  type ColumnMetaData,
  type Compressors,
  type DecodedArray,
  type SchemaElement,
} from "npm:hyparquet@1.33.0";
export { parquetHeader } from "npm:hyparquet@1.33.0/src/column.js";
export { CompressionCodecs } from "npm:hyparquet@1.33.0/src/constants.js";
export { parseFloat16 } from "npm:hyparquet@1.33.0/src/convert.js";
export { decompressPage, readDataPage } from "npm:hyparquet@1.33.0/src/datapage.js";
export { deltaBinaryUnpack } from "npm:hyparquet@1.33.0/src/delta.js";
export { readRleBitPackedHybrid } from "npm:hyparquet@1.33.0/src/encoding.js";
export { parquetMetadata } from "npm:hyparquet@1.33.0/src/metadata.js";
export { readPlain } from "npm:hyparquet@1.33.0/src/plain.js";
export {
  deserializeTCompactProtocol,
  readVarInt,
  readZigZag,
} from "npm:hyparquet@1.33.0/src/thrift.js";
export { compressors } from "npm:hyparquet-compressors@1.1.2";
