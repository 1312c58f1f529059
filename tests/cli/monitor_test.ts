import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { join } from "../../lib/deps/std_path.ts";
import { type MonitorRequest, openMonitor, readMonitor, writeReport } from "../../cli/monitor.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { Settings } from "../../cli/settings.ts";
import { SinkError, UsageError } from "../../lib/errors.ts";
import { createRecorder } from "../../web/recorder.ts";
import { fakeIo } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { answering } from "./generator_fixture.ts";

const NOTHING: MonitorRequest = { page: undefined, report: { kind: "none" } };
const BY_DEFAULT = { kind: "default", isPathShown: true } as const;
const PAGE = { port: 0, hostname: undefined, opensBrowser: false, keep: "watched" as const };

function read(...args: string[]): MonitorRequest {
  return readMonitor(new Settings(parseCommandLine(args)));
}

function refusal(...args: string[]): string {
  return assertThrows(() => read(...args), UsageError).message;
}

/** Opens the monitor of a run with one row, and records its messages. */
async function openIn(
  dir: TempDir,
  { report, page }: { report?: string | MonitorRequest["report"]; page?: MonitorRequest["page"] },
) {
  const input = [await dir.write("in.jsonl", [{ id: "1", prompt: "why" }])];
  const files = { input, output: dir.path("out/") };
  const generator = answering(() => "because");
  const said: string[] = [];
  const opened = await openMonitor(
    generator,
    {
      page,
      report: typeof report === "string"
        ? { kind: "file", path: report, isPathShown: true }
        : report ?? NOTHING.report,
    },
    files,
    fakeIo(),
    (text) => said.push(text),
  );
  const end = async () => {
    const isReported = await opened.writeReport();
    await opened.close();
    return isReported;
  };
  return { ...opened, end, said, run: () => generator.run(files) };
}

Deno.test("readMonitor() reads where the page is served and the report is written", () => {
  assertEquals(read(), { page: undefined, report: BY_DEFAULT });
  assertEquals(read("--quiet", "--monitor"), {
    page: PAGE,
    report: { ...BY_DEFAULT, isPathShown: false },
  });
  assertEquals(read("--no-report"), NOTHING);
  assertEquals(read("--monitor=8123").page?.port, 8123);
  assertEquals(read("--monitor", "--monitor-host", "0.0.0.0", "--open").page, {
    port: 0,
    hostname: "0.0.0.0",
    opensBrowser: true,
    keep: "watched",
  });
  for (const quiet of [[], ["--quiet"]]) {
    assertEquals(read("--report", "a/r.HTML", ...quiet).report, {
      kind: "file",
      path: "a/r.HTML",
      isPathShown: quiet.length === 0,
    });
  }
});

Deno.test("readMonitor() refuses impossible settings", () => {
  assertStringIncludes(refusal("--monitor=65536"), "between 0 and 65535");
  assertStringIncludes(refusal("--monitor=no"), 'Cannot use --monitor "no"');
  assertStringIncludes(refusal("--open"), "--open alone: it requires --monitor");
  assertStringIncludes(refusal("--monitor-host", "::"), "--monitor-host alone");
  assertStringIncludes(refusal("--report", "out/in.jsonl"), "must be a file that ends in .html");
  assertStringIncludes(refusal("--report", "r.html", "--no-report"), "name one of them");
});

Deno.test("openMonitor() does nothing if nothing is requested", async () => {
  await using dir = await tempDir();
  const { monitor, said, run, end } = await openIn(dir, {});
  await run();
  assertEquals([monitor, said, await end()], [undefined, [], true]);
});

Deno.test("openMonitor() says where the page is, and who else can open it", async () => {
  await using dir = await tempDir();
  for (const hostname of [undefined, "127.0.0.1", "localhost", "::1"]) {
    const { said, end } = await openIn(dir, { page: { ...PAGE, hostname } });
    assertEquals([said.length, await end()], [1, true]);
    assertMatch(said[0], /^Monitor: http:\/\/[^/]+:\d+\/\?token=[\w-]{32}$/);
  }
  const { said, end } = await openIn(dir, { page: { ...PAGE, hostname: "0.0.0.0" } });
  await end();
  assertMatch(said[0], /^Monitor: http:\/\/ADDRESS-OF-THIS-MACHINE:\d+\/\?token=[\w-]{32}$/);
  assertMatch(said[1], /^Warning: anyone who has this address can read .* and control the run/);
});

Deno.test("openMonitor() writes the report of a run that has begun, and of no other", async () => {
  await using dir = await tempDir();
  const older = "<title>Retort</title> an older one";
  await dir.write("r.html", older);
  const report = dir.path("r.html");
  const idle = await openIn(dir, { report });
  assertEquals([await idle.end(), await dir.read("r.html")], [true, older]);

  const { said, run, end } = await openIn(dir, { report });
  await run();
  assertEquals([await end(), said], [true, [`Wrote the report to ${report}`]]);
  assertStringIncludes(await dir.read("r.html"), '"because"');
  // The command that continues the run names the same file.
  const next = await openIn(dir, { report });
  await next.run();
  assertEquals(await next.end(), true);
  assertEquals((await dir.names()).filter((name) => name.endsWith(".tmp")), []);
});

Deno.test("openMonitor() writes a report next to the results, keeps the one before, and none where nothing was sent", async () => {
  await using dir = await tempDir();
  const folder = "out/.retort";
  const reports = async () => (await dir.names(folder)).filter((name) => name.endsWith(".html"));
  const first = await openIn(dir, { report: BY_DEFAULT });
  await first.run();
  assertEquals([await first.end(), first.said], [
    true,
    [`Wrote the report to ${join(dir.root, folder, "in.report.html")}`],
  ]);
  const html = await dir.read(`${folder}/in.report.html`);
  const again = await openIn(dir, { report: BY_DEFAULT });
  await again.run();
  assertEquals([await again.end(), again.said, await reports()], [true, [], ["in.report.html"]]);
  await Deno.remove(dir.path("out/in.jsonl"));
  const anew = await openIn(dir, { report: { kind: "default", isPathShown: false } });
  await anew.run();
  assertEquals([await anew.end(), anew.said], [true, []]);
  const [kept, latest] = await reports();
  assertMatch(kept, /^in\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.report\.html$/);
  assertEquals([await dir.read(`${folder}/${kept}`) === html, latest], [true, "in.report.html"]);
  await Deno.remove(dir.path("out/in.jsonl"));
  await dir.write(`${folder}/in.report.html`, "the user's own");
  const refused = await openIn(dir, { report: BY_DEFAULT });
  await refused.run();
  assertEquals([await refused.end(), refused.said.length], [true, 1], "the run is none the worse");
  assertStringIncludes(refused.said[0], "the existing file is not a report of Retort");
  assertEquals(await dir.read(`${folder}/in.report.html`), "the user's own");
});

Deno.test("openMonitor() makes the folder of the report, and leaves nothing else in it", async () => {
  await using dir = await tempDir();
  const { end } = await openIn(dir, { report: dir.path("new/deep/r.html") });
  await end();
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path("new/deep"))), []);
});

Deno.test("openMonitor() refuses a report that cannot be written before the run", async () => {
  await using dir = await tempDir();
  const refused = async (report: string) => (await assertRejects(() => openIn(dir, { report })));
  await Deno.mkdir(dir.path("folder.html"));
  const folder = await refused(dir.path("folder.html"));
  assert(folder instanceof UsageError);
  assertStringIncludes(folder.message, "it is a folder");
  await Deno.writeTextFile(dir.path("in.jsonl"), "");
  await Deno.link(dir.path("in.jsonl"), dir.path("same.html"));
  const input = await refused(dir.path("same.html"));
  assert(input instanceof UsageError);
  assertStringIncludes(input.message, "it is the input");
  const below = await refused(dir.path("in.jsonl/r.html"));
  assert(below instanceof SinkError);
  assertStringIncludes(below.message, "Cannot write");
});

Deno.test("openMonitor() does not replace a page that is not a report", async () => {
  await using dir = await tempDir();
  const report = await dir.write("r.html", "<title>My thesis</title>");
  const message =
    `Cannot write the report to "${report}": the existing file is not a report of Retort. ` +
    "Name another file, or move it away";
  await assertRejects(() => openIn(dir, { report }), UsageError, message);
  await Deno.remove(report);
  const { said, run, end } = await openIn(dir, { report });
  await run();
  await dir.write("r.html", "written during the run");
  assertEquals([await end(), said, await dir.read("r.html")], [
    false,
    [message],
    "written during the run",
  ]);
});

Deno.test("writeReport() says that the report cannot be written, and throws nothing", async () => {
  await using dir = await tempDir();
  const { said, run, end } = await openIn(dir, { report: dir.path("r.html") });
  await run();
  await Deno.mkdir(dir.path("r.html"));
  assertEquals([await end(), said.length], [false, 1]);
  assertStringIncludes(said[0], `Cannot write the report to "${dir.path("r.html")}"`);
});

Deno.test("a report that cannot be made, as after its code was replaced, does not end the run with an error", async () => {
  await using dir = await tempDir();
  const { state, close } = createRecorder(answering(() => "because"), {});
  close();
  const run = { ...state().run!, time: new Date().toISOString() };
  const record = {
    state: () => ({ ...state(), run }),
    report: () => Promise.reject(new TypeError("Module not found")),
  };
  const path = dir.path("r.html");
  const said: string[] = [];
  const isWritten = await writeReport(
    record,
    { kind: "file", path, isPathShown: true },
    [],
    (text) => said.push(text),
  );
  assertEquals([isWritten, said], [false, [`Cannot write "${path}": Module not found`]]);
});

Deno.test("--quiet hides where the report is, but not why it could not be written", async () => {
  await using dir = await tempDir();
  const { state, close } = createRecorder(answering(() => "because"), {});
  close();
  const results = await dir.write("out/in.jsonl", "");
  const run = { ...state().run!, time: new Date().toISOString() };
  const summary = { attempts: 1, files: [{ results }] };
  const record = {
    state: () => ({ ...state(), run, summary }) as unknown as ReturnType<typeof state>,
    report: () => "<!DOCTYPE html>",
  };
  const said: string[] = [];
  const write = () =>
    writeReport(record, { kind: "default", isPathShown: false }, [], (text) => said.push(text));
  assertEquals([await write(), said], [true, []]);
  await Deno.remove(dir.path("out/.retort"), { recursive: true });
  await dir.write("out/.retort", "a file");
  assertEquals([await write(), said.length], [true, 1]);
  record.report = () => Promise.reject(new TypeError("Module not found")) as unknown as string;
  await Deno.remove(dir.path("out/.retort"));
  assertEquals([await write(), said.length], [true, 2]);
  assertStringIncludes(said[1], "Module not found");
});
