/**
 * The default browser of the person.
 *
 * @module
 */

/** What opens an address on each system. */
const OPENERS: Partial<Record<typeof Deno.build.os, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  windows: ["rundll32", "url.dll,FileProtocolHandler"],
};

/**
 * Opens an address. Resolves when the command that does so has ended, which may be when the browser is
 * closed: nothing should wait for it. Needs the permission to run that command.
 *
 * @throws {Error} when there is no such command, when it may not be run, or when it fails
 */
export async function openBrowser(url: string): Promise<void> {
  const [command, ...args] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  const child = new Deno.Command(command, {
    args: [...args, url],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  child.unref();
  const { code } = await child.status;
  if (code !== 0) throw new Error(`${command} ended with code ${code}`);
}
