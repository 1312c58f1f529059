/**
 * Runs the tests of the pages in a real Chromium: `deno task test-page`. The Chromium from npm runs
 * on Linux only; on other systems the tests are skipped with a message.
 *
 * @module
 */

if (import.meta.main) {
  if (Deno.build.os === "linux") {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--quiet",
        "--no-check",
        "--allow-all",
        "--parallel",
        "--config",
        "tests/browser/deno.json",
        "tests/browser/",
        ...Deno.args,
      ],
      cwd: new URL("../", import.meta.url),
      // There are more jobs than cores, because each test mostly waits for its Chromium.
      env: { DENO_JOBS: "3" },
    }).spawn();
    Deno.exit((await child.status).code);
  }
  console.log("The tests of the pages are skipped: their Chromium from npm runs on Linux only");
}
