import { assert, assertEquals, assertLess } from "../../lib/deps/std_assert.ts";
import { Output } from "../../cli/io.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { fastestMs } from "../support/fastest.ts";

/** A stream that accepts at most `most` bytes at a time. */
class FakeStream {
  text = "";
  most = Infinity;
  before: () => Promise<void> | void = () => {};

  async write(bytes: Uint8Array): Promise<number> {
    await this.before();
    const part = bytes.subarray(0, this.most);
    this.text += new TextDecoder().decode(part);
    return part.length;
  }
}

Deno.test("Output writes everything in order, however little the stream takes at once", async () => {
  const stream = new FakeStream();
  stream.most = 3;
  const output = new Output(stream);
  output.write("one\n");
  output.write("");
  output.write("two\n");
  await output.flush();
  output.write("three\n");
  await output.flush();
  assertEquals(stream.text, "one\ntwo\nthree\n");
});

Deno.test("Output never waits, and drops the oldest text if the reader is stuck", async () => {
  using clock = new FakeClock();
  const stream = new FakeStream();
  const read = Promise.withResolvers<void>();
  stream.before = () => read.promise;
  const output = new Output(stream);
  const line = (number: number) => `${number} ${"x".repeat(1_000)}\n`;
  output.write(line(0));
  await clock.advance(2_000);
  for (let number = 1; number < 5_000; number++) output.write(line(number));
  assertEquals(stream.text, "");
  read.resolve();
  await output.flush();
  const numbers = stream.text.trimEnd().split("\n").map((text) => parseInt(text));
  assertEquals([numbers[0], numbers.at(-1)], [0, 4_999]);
  assert(numbers.length > 900 && numbers.length < 1_100, `${numbers.length} lines`);
});

Deno.test("Output keeps a burst of text, which the reader has had no time to take", async () => {
  const stream = new FakeStream();
  const output = new Output(stream);
  const lines = Array.from({ length: 5_000 }, (_, number) => `${number} ${"x".repeat(1_000)}\n`);
  for (const line of lines) output.write(line);
  await output.flush();
  assertEquals(stream.text, lines.join(""));
});

Deno.test("Output drops the oldest text if a reader takes less than is written", async () => {
  const stream = new FakeStream();
  const read = Promise.withResolvers<void>();
  stream.before = () => read.promise;
  const output = new Output(stream);
  const text = "x".repeat(1 << 20);
  for (let number = 0; number < 70; number++) output.write(`${number} ${text}\n`);
  read.resolve();
  await output.flush();
  assert(stream.text.length < 66 << 20, `${stream.text.length} characters`);
  assert(stream.text.includes("69 x"));
});

Deno.test("Output drops short lines without stopping the run", async () => {
  const ms = await fastestMs(async () => {
    const stream = new FakeStream();
    const read = Promise.withResolvers<void>();
    stream.before = () => read.promise;
    const output = new Output(stream);
    const line = `${"x".repeat(400)}\n`, { now } = performance;
    output.write("first\n");
    for (let length = 0; length < 1 << 26; length += line.length) output.write(line);
    performance.now = () => now.call(performance) + 2_000;
    output.write("last\n");
    performance.now = now;
    read.resolve();
    await output.flush();
    assertLess(stream.text.length, 1_100_000);
    assert(stream.text.endsWith("x\nlast\n"));
  }, 2_000);
  assertLess(ms, 2_000);
});

Deno.test("Output keeps a text that is larger than what may wait", async () => {
  const stream = new FakeStream();
  const output = new Output(stream);
  output.write("small\n");
  output.write("x".repeat(3_000_000));
  await output.flush();
  assertEquals(stream.text.length, 3_000_006);
});

Deno.test("Output continues where the stream would block", async () => {
  const stream = new FakeStream();
  let tries = 0;
  stream.before = () => {
    if (++tries < 3) throw new Deno.errors.WouldBlock("busy");
  };
  const output = new Output(stream);
  output.write("all\n");
  await output.flush();
  assertEquals([stream.text, tries], ["all\n", 3]);
});

Deno.test("Output stops writing to a closed reader, and does not throw", async () => {
  const stream = new FakeStream();
  let tries = 0;
  stream.before = () => {
    tries++;
    throw new Deno.errors.BrokenPipe("gone");
  };
  const output = new Output(stream);
  output.write("one\n");
  await output.flush();
  output.write("two\n");
  await output.flush();
  assertEquals([stream.text, tries], ["", 1]);
});
