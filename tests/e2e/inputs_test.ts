/** Previews of rows, and files that rows name. @module */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { openaiCompatible, ResponseGenerator } from "../../mod.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, distill } from "./fixture.ts";

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]);
const PNG_URL = `data:image/png;base64,${PNG.toBase64()}`;

Deno.test("--dry-run shows one request of each shape, what is not sent, and tokens", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  await dir.write("1.png", PNG);
  const input = await dir.write("in.jsonl", [
    { prompt: "x".repeat(4_000), answer: "a" },
    { question: "ho", source: "web" },
    { messages: [{ role: "user", content: "<image>What?" }], images: ["1.png"], model: "m2" },
    { prompt: "hu", difficulty: 3 },
  ]);
  const args = [input, "-o", dir.path("out/"), "--mixed-shapes", "--dry-run"];
  const { code, stdout, stderr } = await distill(server, args);
  assertEquals([code, server.posts, await dir.exists("out")], [0, 0, false], stderr);
  assertStringIncludes(stderr, "\nnot sent: answer, source, model, difficulty\n");
  const heading = /^4 rows to send, about ([\d,]+) prompt tokens; the first request of each of 3 /m;
  const tokens = Number(heading.exec(stderr)?.[1].replace(",", ""));
  assert(tokens > 1_900 && tokens < 2_200, stderr);
  const shown = stdout.split(/^(?=\{)/m).map((text) => JSON.parse(text).body.messages);
  assertEquals(shown.map(([{ content }]) => content.length), [4_000, 2, 2]);
  const [{ image_url: { url } }] = shown[2][0].content;
  assertMatch(url, /^data:image.*1\.png/);
});

Deno.test("the start line says how many rows set a model of their own", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const messages = [{ role: "user", content: "hi" }];
  const rows = ["a", "b", "c"].map((model) => ({ model, messages }));
  const input = await dir.write("in.jsonl", [...rows, { messages, temperature: 1 }]);
  const { stderr } = await distill(server, [input, "-o", dir.path("out/"), "--progress", "plain"]);
  assertStringIncludes(stderr, "4 rows (4 messages), 3 set a model of their own: a, b, c\n");
  assertEquals(new Set(server.requests.map(({ body }) => body.model)).size, 4);
});

Deno.test("a file that is missing when it is sent fails only its row", async () => {
  await using dir = await tempDir();
  const rows = [1, 2, 3].map((id) => ({ id, prompt: "<image>?", image: `${id}.png` }));
  for (const { image } of rows) await dir.write(image, PNG);
  await using server = serveLedger(({ n }) => {
    if (n === 1) Deno.removeSync(dir.path("2.png"));
  });
  const input = await dir.write("in.jsonl", rows);
  const args = [input, "-o", dir.path("out/"), "-c", "1", "--final-messages"];
  assertExit(await distill(server, args), 3);
  const [failure] = await dir.rows("out/in_error.jsonl");
  const { type, message, attempts } = failure.error;
  assertEquals([failure.uid, type, attempts], ["2", "bad_row", 1]);
  assertEquals(message, 'Cannot send the image "2.png": no such file');
  const results = await dir.rows("out/in.jsonl");
  assertEquals(results.map(({ uid }) => uid), ["1", "3"]);
  const [{ content }] = results[0].final_messages;
  assertEquals(content[0].image_url.url, "1.png");
  assertEquals(server.requests.map(({ body }) => body.messages[0].content[0].image_url.url), [
    PNG_URL,
    PNG_URL,
  ]);
  assertExit(await distill(server, args), 3);
  assertEquals(server.posts, 2);
  // An answered row needs its file no more; the failed one is sent once the file is back.
  await dir.write("2.png", PNG);
  await Deno.remove(dir.path("1.png"));
  assertExit(await distill(server, [...args, "--retry"]), 0);
  assertEquals([server.posts, (await dir.rows("out/in.jsonl")).length], [3, 3]);
});

Deno.test("standard input has no folder of images unless one is named", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  await dir.write("1.png", PNG);
  const stdin = '{"prompt":"<image>?","image":"1.png"}\n';
  const args = ["-", "-o", dir.path("out/")];
  const refused = await distill(server, args, { stdin, cwd: dir.root });
  assertEquals([refused.code, server.posts], [2, 0]);
  assertStringIncludes(refused.stderr, "name the folder of the images (--images-root, imagesRoot)");
  assertExit(await distill(server, [...args, "--images-root", dir.root], { stdin }), 0);
  assertEquals(server.requests[0].body.messages[0].content[0].image_url.url, PNG_URL);
});

Deno.test("generate() reads images from the folder that is named, and preview() sees each shape", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  await dir.write("1.png", PNG);
  const teacher = openaiCompatible({ baseUrl: server.url, model: "m" });
  const row = { id: "a", prompt: "<image>?", image: "1.png" };
  const refused = await Array.fromAsync(new ResponseGenerator({ teacher }).generate([row]));
  assertEquals(refused.map((one) => one.ok ? "" : one.error.type), ["bad_row"]);
  const options = { teacher, imagesRoot: dir.root, mixedShapes: true };
  const generator = new ResponseGenerator(options);
  const answered = await Array.fromAsync(generator.generate([row, { ...row, image: "../1.png" }]));
  assertEquals(answered.map(({ ok }) => ok).sort(), [false, true]);
  assertEquals(server.requests[0].body.messages[0].content[0].image_url.url, PNG_URL);
  const input = [await dir.write("in.jsonl", [row, { question: "q" }])];
  const preview = await generator.preview({ input, output: dir.path("out/") });
  assertEquals(preview.requests.map(({ shape }) => shape), ["prompt", "question"]);
  assertEquals(preview.requests[0].request, preview.request);
  assert(preview.promptTokens > 1_000);
  await teacher.close();
});
