/** Parquet files. Loaded where one is written. @module */

export { ByteWriter, ParquetWriter, type SchemaElement } from "npm:hyparquet-writer@0.17.0";
