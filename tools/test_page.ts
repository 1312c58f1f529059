/**
 * The tests of the pages in a real Chromium: what `deno task test-page` runs. The Chromium that npm brings is one for
 * Linux; elsewhere this says so and ends well.
 *
 * @module
 */

if (import.meta.main) {
  if (Deno.build.os === "linux") {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--quiet",
        "--allow-all",
        "--config",
        "tests/browser/deno.json",
        "tests/browser/",
        ...Deno.args,
      ],
      cwd: new URL("../", import.meta.url),
    }).spawn();
    Deno.exit((await child.status).code);
  }
  console.log("The tests of the pages are skipped: their Chromium from npm runs on Linux only");
}
