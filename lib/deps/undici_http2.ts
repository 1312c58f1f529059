/**
 * Leaves undici's HTTP/2 client to its first use, which is never. It loads `node:http2` and, for that, `node:fs`
 * and `node:tls`: a fifth of the time in which undici is loaded. It must be imported before undici. Where
 * packages are bundled, it has no effect.
 *
 * @module
 */

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const url = placeOf("npm:undici@8.12.4/lib/dispatcher/client-h2.js");
const isHttp2Deferred: boolean = url?.startsWith("file:") === true;
if (isHttp2Deferred) deferModule(fileURLToPath(url!));

export { isHttp2Deferred };

/** The address of a module of a package; undefined on platforms that resolve no such specifiers. */
function placeOf(specifier: string): string | undefined {
  try {
    return import.meta.resolve(specifier);
  } catch {
    return undefined;
  }
}

/** Puts a function in the place of a module that exports one: it loads the module when it is called. */
function deferModule(path: string): void {
  const require = createRequire(path);
  const deferred = (...args: unknown[]) => {
    delete require.cache[path];
    return require(path)(...args);
  };
  const module = { id: path, filename: path, loaded: true, exports: deferred };
  require.cache[path] ??= module as unknown as NodeJS.Module;
}
