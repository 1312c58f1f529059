/**
 * Reads a key that is typed, on a thread of its own: the main one is told of Ctrl-C meanwhile, and gives the terminal
 * its mode back.
 *
 * @module
 */

import { promptSecret } from "../lib/deps/std_cli.ts";

const scope = globalThis as unknown as { postMessage(key: string | null): void };
// An empty mask: nothing is shown, and only a space and a line break go to standard output.
scope.postMessage(promptSecret("", { mask: "" }));
