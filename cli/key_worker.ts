/**
 * Prompts for a key in a worker, because `promptSecret` blocks its thread. The main thread can then
 * handle Ctrl-C and restore the terminal.
 *
 * @module
 */

import { promptSecret } from "../lib/deps/std_prompt_secret.ts";

const scope = globalThis as unknown as { postMessage(key: string | null): void };
// With an empty mask, no typed character is echoed: stdout gets only a space and a line break.
scope.postMessage(promptSecret("", { mask: "" }));
