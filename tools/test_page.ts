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
        "--parallel",
        "--config",
        "tests/browser/deno.json",
        "tests/browser/",
        ...Deno.args,
      ],
      cwd: new URL("../", import.meta.url),
      // Each file waits for its Chromium most of the time.
      env: { DENO_JOBS: "3" },
    }).spawn();
    Deno.exit((await child.status).code);
  }
  console.log(
    "The tests of the pages are skipped: their Chromium from npm runs on Linux only",
  );
}
