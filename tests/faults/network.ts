/**
 * Faults of a network, a gateway or a server. In each case the run ends, an attempt is one POST,
 * and complete answers are kept.
 *
 * @module
 */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { openaiCompatible, ResponseGenerator } from "../../mod.ts";
import { answer, delta, DONE, events, finish, json } from "../behaviors/replies.ts";
import { type Post, type Reply, serveScript } from "../support/scripted_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { delay, within } from "./time.ts";

/** One kind of fault. */
export interface NetworkMode {
  /** Its name. */
  readonly name: string;
  /** The reply, instead of one with this text. */
  readonly reply: (text: string) => Reply;
  /** Whether the client streams. */
  readonly stream: boolean;
  /** Whether it happens to connections that were used before, or to new ones. */
  readonly on: "new" | "reused";
  /** Whether the answer comes whole, however odd. */
  readonly isWhole: boolean;
}

type Fault = readonly [name: string, reply: (text: string) => Reply, isWhole?: boolean];

const STATUSES = [408, 409, 425, 429, 500, 502, 503, 504, 520, 524, 529];

/** What can be done to any answer, streamed or not, that is these bytes on the wire. */
function wireFaults(wire: (text: string) => string): Fault[] {
  const cuts: [string, (text: string) => number][] = [
    ["before the status line", () => 0],
    ["in the status line", () => 10],
    ["in the header fields", (text) => wire(text).indexOf("\r\n\r\n") - 5],
    ["after the header fields", (text) => wire(text).indexOf("\r\n\r\n") + 4],
    ["in the answer", (text) => wire(text).indexOf(text) + 3],
    ["before the end of the body", (text) => wire(text).length - 12],
  ];
  return cuts.flatMap(([where, at]): Fault[] => {
    const raw = (text: string) => wire(text).slice(0, at(text));
    return [
      [`close ${where}`, (text) => ({ body: "", raw: raw(text), closes: true })],
      [`silence ${where}`, (text) => ({ body: "", raw: raw(text), stalls: true })],
    ];
  });
}

function headFaults(wire: (text: string) => string): Fault[] {
  const changed = (change: (wire: string) => string, closes = true) => (text: string) => ({
    body: "",
    raw: change(wire(text)),
    closes,
  });
  return [
    ["no reason phrase", changed((all) => all.replace("200 OK", "200")), true],
    [
      "early hints before the answer",
      changed((all) => `HTTP/1.1 103 Early Hints\r\n\r\n${all}`),
      true,
    ],
    ["no HTTP", changed(() => "SSH-2.0-OpenSSH_9.6\r\n")],
    ["a NUL in a header field", changed((all) => all.replace("\r\n", "\r\nx-a: \0\r\n"))],
    [
      "a header field of 100 KB",
      changed((all) => all.replace("\r\n", `\r\nx-a: ${"a".repeat(100_000)}\r\n`)),
    ],
    ["lines that end in LF", changed((all) => all.replaceAll("\r\n", "\n"))],
    ["a second answer unasked", changed((all) => all + all, false)],
    [
      "gzip announced, plain sent",
      changed((all) => all.replace("\r\n", "\r\ncontent-encoding: gzip\r\n")),
    ],
    ["two lengths", changed((all) => all.replace("\r\n", "\r\ncontent-length: 3\r\n"))],
    ["an interim answer unasked", changed((all) => `HTTP/1.1 100 Continue\r\n\r\n${all}`)],
  ];
}

const REPLIES: readonly Fault[] = [
  ...STATUSES.map((status): Fault => [
    `status ${status}`,
    () => json({ error: { message: `status ${status}` } }, { status }),
  ]),
  ["status 502 as a page", () => ({ status: 502, body: "<html>Bad gateway</html>" })],
  ["status 429 with half a body", () => ({ status: 429, body: "too", breaks: true })],
  ["status 200 as a page", () => ({ body: "<html>Sign in</html>" })],
  ["status 200 without a body", () => ({ body: "" })],
  ["status 200 that holds no JSON", () => json("{")],
  ["status 200 that holds null", () => json("null")],
  ["status 200 that holds an error", () => json({ error: { message: "overloaded", code: 503 } })],
  ["no choices", () => json({ choices: [] })],
];

const PLAIN: readonly Fault[] = [
  ...wireFaults(plainWire),
  ...headFaults(plainWire),
  ["closed at the end", (text) => ({ ...answer(text), framing: "close" }), true],
  ["chunks", (text) => ({ ...answer(text), framing: "chunked" }), true],
  ["byte by byte", (text) => ({
    ...answer(text),
    framing: "chunked",
    body: slowly(String(answer(text).body)),
  }), true],
  ["a close right after the answer", (text) => ({ ...answer(text), closes: true }), true],
];

const STREAMED: readonly Fault[] = [
  ...wireFaults(streamedWire),
  ...headFaults(streamedWire),
  ["no [DONE]", (text) => events([delta(text), finish()]), true],
  ["no finish reason", (text) => events([delta(text), DONE])],
  ["an error in the stream", (text) => events([delta(text), { error: { message: "overloaded" } }])],
  [
    "comments between the events",
    (text) => events([": ping\n\n", delta(text), ": ping\n\n", finish(), DONE]),
    true,
  ],
  ["an event that is no JSON", (text) => events([delta(text), "data: {\n\n", finish(), DONE])],
  ["byte by byte", (text) => ({
    ...events([]),
    body: slowly(events([delta(text), finish(), DONE]).body as string[]),
  }), true],
  [
    "a close right after the stream",
    (text) => events([delta(text), finish(), DONE], { closes: true }),
    true,
  ],
];

/** Every mode, on new and on reused connections. */
export const NETWORK_MODES: readonly NetworkMode[] = [false, true].flatMap((stream) =>
  [...REPLIES, ...stream ? STREAMED : PLAIN].flatMap(([name, reply, isWhole = false]) =>
    (["new", "reused"] as const).map((on) => ({ name, reply, stream, on, isWhole }))
  )
);

const ROWS = 12;

/** Runs over a server that treats the first attempt at each third row in this way. */
export async function networkTrial(mode: NetworkMode): Promise<void> {
  await using dir = await tempDir();
  await dir.write(
    "in.jsonl",
    Array.from({ length: ROWS }, (_, i) => ({ id: `${i}`, prompt: `p${i}` })),
  );
  const texts = new Map<string, string[]>(), whole: string[] = [];
  let isFaulty = true;
  await using server = serveScript((post) => {
    const text = `answer ${post.n} to ${post.prompt}`;
    texts.set(post.prompt, [...texts.get(post.prompt) ?? [], text]);
    const isHit = isFaulty && isTarget(mode, post);
    if (!isHit || mode.isWhole) whole.push(text);
    if (isHit) return mode.reply(text);
    return mode.stream ? events([delta(text), finish(), DONE]) : answer(text);
  });
  const attempts = await run(dir, server.url, mode, false);
  assertEquals(attempts, server.posts.length, "attempts and POSTs");
  isFaulty = false;
  await run(dir, server.url, mode, false);
  await run(dir, server.url, mode, true);

  const results = await dir.rows("out/in.jsonl");
  assertEquals(new Set(results.map(({ uid }) => uid)).size, results.length, "a uid is there twice");
  assertEquals(results.length, ROWS, "rows with a result");
  for (const { prompt, response } of results) {
    assert(texts.get(prompt)!.includes(response), `"${response}" was never sent for ${prompt}`);
  }
  const kept = new Set(results.map(({ response }) => response));
  assertEquals(whole.filter((text) => !kept.has(text)), [], "answers that were paid for and lost");
}

function isTarget({ on }: NetworkMode, { asked, n, onConnection }: Post): boolean {
  return asked === 1 && (on === "reused" ? onConnection > 1 : onConnection === 1) && n % 3 === 1;
}

/** One run to its end; returns its attempts. */
async function run(
  dir: TempDir,
  baseUrl: string,
  mode: NetworkMode,
  retry: boolean,
): Promise<number> {
  // A busy machine must not end an attempt that is answered.
  const timeoutMs = mode.reply("").stalls ? 1_500 : 30_000;
  const limits = { timeoutMs, streamIdleTimeoutMs: timeoutMs };
  const teacher = openaiCompatible({ baseUrl, model: "test", stream: mode.stream, ...limits });
  try {
    const generator = new ResponseGenerator({ teacher, concurrency: 3, random: () => 0 });
    const files = { input: [dir.path("in.jsonl")], output: dir.path("out/") };
    const { attempts } = await within(60_000, generator.run({ ...files, retry }));
    return attempts;
  } finally {
    await teacher.close();
  }
}

function plainWire(text: string): string {
  const body = String(answer(text).body);
  const fields = ["content-type: application/json", `content-length: ${body.length}`];
  return `HTTP/1.1 200 OK\r\n${fields.join("\r\n")}\r\n\r\n${body}`;
}

function streamedWire(text: string): string {
  const pieces = events([delta(text), finish(), DONE]).body as string[];
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  const fields = ["content-type: text/event-stream", "transfer-encoding: chunked"];
  return `HTTP/1.1 200 OK\r\n${fields.join("\r\n")}\r\n\r\n${chunks.join("")}0\r\n\r\n`;
}

/** The bytes one by one, with a pause now and then. */
async function* slowly(body: string | readonly string[]): AsyncGenerator<string> {
  for (const [i, byte] of [...[body].flat().join("")].entries()) {
    if (i % 64 === 0) await delay(1);
    yield byte;
  }
}
