/** Writer of Parquet files. Heavy: load it by `import()` only. @module */

export { ByteWriter, ParquetWriter, type SchemaElement } from "npm:hyparquet-writer@0.17.0";
