import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { Appender, tryAppend } from "../../lib/sink/appender.ts";
import type { JournalFile } from "../../lib/sink/appender.ts";

/** A file in memory that records writes, and takes as long as the test decides. */
class MemoryFile implements JournalFile {
  text = "";
  readonly startSize = 0;
  readonly calls: string[] = [];
  nowMs = 0;
  writeMs = 0;
  mostBytes = Infinity;
  error: Error | undefined;

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(this.#take("async", bytes));
  }

  writeSync(bytes: Uint8Array): number {
    return this.#take("sync", bytes);
  }

  #take(how: string, bytes: Uint8Array): number {
    this.calls.push(how);
    this.nowMs += this.writeMs;
    const { error } = this;
    this.error = undefined;
    if (error !== undefined) throw error;
    const part = bytes.subarray(0, this.mostBytes);
    this.text += new TextDecoder().decode(part);
    return part.length;
  }

  syncData(): Promise<void> {
    return Promise.resolve();
  }

  truncate(length: number): Promise<void> {
    this.text = this.text.slice(0, length);
    return Promise.resolve();
  }

  close(): void {}
}

function appenderOf(file: MemoryFile): Appender {
  return new Appender("a.jsonl", file, {
    now: () => file.nowMs,
    delay: () => Promise.resolve(),
  });
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("Appender writes synchronously while the disk is fast", async () => {
  const file = new MemoryFile();
  const appender = appenderOf(file);
  for (const line of ["a\n", "b\n", "c\n"]) await appender.append(bytesOf(line));
  assertEquals(file.calls, ["sync", "sync", "sync"]);
  assertEquals(file.text, "a\nb\nc\n");
});

Deno.test("Appender does not block the event loop for a second after a slow write", async () => {
  const file = new MemoryFile();
  const appender = appenderOf(file);
  file.writeMs = 6;
  await appender.append(bytesOf("a\n"));
  file.writeMs = 0;
  await appender.append(bytesOf("b\n"));
  file.nowMs += 999;
  await appender.append(bytesOf("c\n"));
  file.nowMs += 1;
  await appender.append(bytesOf("d\n"));
  assertEquals(file.calls, ["sync", "async", "async", "sync"]);
  assertEquals(file.text, "a\nb\nc\nd\n");
});

Deno.test("Appender does not copy large buffers", async () => {
  const file = new MemoryFile();
  await appenderOf(file).append(bytesOf(`${"x".repeat(2 ** 20)}\n`));
  assertEquals(file.calls, ["async"]);
});

Deno.test("Appender continues after a short or failed synchronous write", async () => {
  const file = new MemoryFile();
  const appender = appenderOf(file);
  file.mostBytes = 3;
  await appender.append(bytesOf("abcd\nefgh\n"));
  assertEquals(file.text, "abcd\nefgh\n");
  file.error = new Error("No space left on device");
  await appender.append(bytesOf("ijkl\n"));
  assertEquals(file.text, "abcd\nefgh\nijkl\n");
});

Deno.test("Appender repeats an interrupted write at once, and does not report the disk", async () => {
  const file = new MemoryFile();
  let stalls = 0;
  const appender = new Appender("a.jsonl", file, { onStall: () => stalls++ });
  file.error = new Deno.errors.Interrupted("Interrupted system call (os error 4)");
  await appender.append(bytesOf("abcd\n"));
  assertEquals([file.text, stalls], ["abcd\n", 0]);
});

Deno.test({
  name: "tryAppend() leaves a file as it was, and names what its filesystem cannot do",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const failsWith = (code: string) => () =>
      Promise.reject(Object.assign(new Error(code), { code }));
    const NETWORK = 0xfff000fe, DISK = 0x10302;
    let calls: string[] = [];
    const attempt = async (dev: number, methods: Partial<Deno.FsFile> = {}) => {
      calls = [];
      const file = {
        stat: () => Promise.resolve({ dev, size: 7 }),
        write: (bytes: Uint8Array) => Promise.resolve(calls.push(`write ${bytes}`)),
        truncate: (size?: number) => Promise.resolve(void calls.push(`truncate to ${size}`)),
        [Symbol.dispose]: () => calls.push("close"),
        ...methods,
      };
      await tryAppend("x.jsonl", () => Promise.resolve(file as unknown as Deno.FsFile));
    };
    await attempt(NETWORK);
    assertEquals(calls, ["write 10", "truncate to 7", "close"]);
    await attempt(DISK);
    assertEquals(calls, ["close"]);
    // rclone without a cache for writes
    const message = 'Cannot write "x.jsonl": its filesystem cannot append to a file';
    await assertRejects(() => attempt(NETWORK, { write: failsWith("EBADF") }), SinkError, message);
    // A full disk may have space again: the run waits for it.
    await attempt(NETWORK, { write: failsWith("ENOSPC") });
    assertEquals(calls, ["close"]);
    // The added byte would stay.
    await assertRejects(() => attempt(NETWORK, { truncate: failsWith("EIO") }), SinkError, "EIO");
  },
});
