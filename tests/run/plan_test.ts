import { assertEquals } from "../../lib/deps/std_assert.ts";
import { sha256Hex } from "../../lib/hash.ts";
import { IdTable } from "../../lib/index/id_table.ts";
import { KeptUids, Plan, SlotQueue, Todo } from "../../lib/run/plan.ts";

function addLine(plan: Plan, todo: Todo, sample = 0): void {
  plan.addLine();
  plan.decide(sample, todo);
}

Deno.test("Plan is empty at first", () => {
  const plan = new Plan();
  assertEquals([plan.length, plan.toAsk, plan.bad, plan.takeIdOf(0, "a")], [0, 0, 0, "a"]);
});

Deno.test("Plan returns each decision and counts them", () => {
  const plan = new Plan();
  const todos = [Todo.Ask, Todo.Skip, Todo.AskAgain, Todo.Bad, Todo.Ask, Todo.Ask];
  for (const todo of todos) addLine(plan, todo);
  assertEquals(todos.map((_, index) => plan.decisionOn(index)), todos);
  assertEquals([plan.length, plan.toAsk, plan.bad], [6, 4, 1]);
});

for (const samples of [1, 3, 1_000]) {
  Deno.test(`Plan keeps its decisions on ${samples} samples a row while it grows`, () => {
    const plan = new Plan(samples);
    const lines = 20_000 / samples;
    const todoOf = (index: number, sample: number): Todo => (index * index + sample) % 4;
    for (let i = 0; i < lines; i++) {
      addLine(plan, todoOf(i, 0));
      for (let sample = 1; sample < samples; sample++) plan.decide(sample, todoOf(i, sample));
    }
    let wrong = 0;
    for (let i = 0; i < lines; i++) {
      for (let sample = 0; sample < samples; sample++) {
        if (plan.decisionOn(i, sample) !== todoOf(i, sample)) wrong++;
      }
    }
    assertEquals(wrong, 0);
    assertEquals(plan.length, Math.ceil(lines));
  });
}

Deno.test("Plan skips the other answers of a line that is bad for one of them", () => {
  const plan = new Plan(3);
  addLine(plan, Todo.Bad, 2);
  addLine(plan, Todo.Ask);
  const todos = [0, 1].map((line) => [0, 1, 2].map((sample) => plan.decisionOn(line, sample)));
  assertEquals(todos, [[Todo.Skip, Todo.Skip, Todo.Bad], [Todo.Ask, Todo.Skip, Todo.Skip]]);
  assertEquals([plan.length, plan.bad, plan.toAsk], [2, 1, 1]);
});

Deno.test("Plan.keepCopy() gives the row of the last line another id, and only that row", () => {
  const plan = new Plan(2);
  const copies = [1, 4_000, 9_999];
  for (let line = 0; line < 10_000; line++) {
    addLine(plan, Todo.Ask);
    if (copies.includes(line)) plan.keepCopy(line + 1);
  }
  addLine(plan, Todo.Ask);
  const ids = Array.from({ length: 10_001 }, (_, line) => plan.takeIdOf(line, "a"));
  assertEquals(copies.map((line) => ids[line]), ["a~2", "a~4001", "a~10000"]);
  assertEquals(ids.filter((id) => id !== "a").length, 3);
});

Deno.test("Plan keeps ids next to its decisions, for those lines that are given one", () => {
  const plan = new Plan(2), table = new IdTable();
  const uids = Array.from({ length: 5_000 }, (_, i) => i.toString(16).padStart(32, "0"));
  for (const [i, uid] of uids.entries()) {
    addLine(plan, Todo.Skip);
    plan.decide(1, Todo.AskAgain);
    if (i % 3 === 0) plan.keepUid(table.insert(uid));
  }
  plan.keptUids.takeKeys(table.releaseKeys());
  assertEquals(uids.map((_, i) => plan.takeUid(i)), uids.map((uid, i) => i % 3 ? undefined : uid));
  assertEquals(plan.toAsk, 5_000);
  const todos = new Set(uids.map((_, i) => `${plan.decisionOn(i, 0)} ${plan.decisionOn(i, 1)}`));
  assertEquals([...todos], [`${Todo.Skip} ${Todo.AskAgain}`]);
});

const uidOf = (i: number) => sha256Hex(`${i}`).slice(0, 32);

Deno.test("KeptUids returns ids in their order, unchanged", () => {
  const table = new IdTable(), kept = new KeptUids();
  const uids = [
    "0".repeat(32),
    "f".repeat(32),
    ...Array.from({ length: 10_000 }, (_, i) => uidOf(i)),
  ];
  for (const uid of uids) kept.keep(table.insert(uid));
  kept.takeKeys(table.releaseKeys());
  assertEquals(uids.map(() => kept.shift()), uids);
});

Deno.test("KeptUids keeps some ids of a table, in another order than the table's", () => {
  const table = new IdTable(), kept = new KeptUids();
  const uids = Array.from({ length: 20_000 }, (_, i) => uidOf(i));
  const slots = uids.map((uid) => table.insert(uid));
  const order = [...slots.keys()].filter((i) => i % 3 === 1 && (i < 5_000 || i > 15_000)).reverse();
  for (const i of order) kept.keep(slots[i]);
  kept.takeKeys(table.releaseKeys());
  assertEquals(table.byteLength < 1_000, true);
  assertEquals(order.map(() => kept.shift()), order.map((i) => uids[i]));
});

const MAX = 2 ** 32 - 1;

const cases: Record<string, readonly number[]> = {
  "one slot": [7],
  "slots of new rows": Array.from({ length: 10_000 }, (_, i) => 5 + i),
  "slots of rows with samples": Array.from({ length: 10_000 }, (_, i) => 4 * i),
  "slots in reverse order": Array.from({ length: 10_000 }, (_, i) => MAX - i),
  "the same slot again": [3, 3, 3, 9],
  "sequences with gaps": [0, 1, 2, 100, 101, 102, 50, 49, 48, 7, MAX, 0, 0, 1],
  "slots without order": Array.from({ length: 10_000 }, (_, i) => Math.imul(i, 2654435761) >>> 0),
};

for (const [name, slots] of Object.entries(cases)) {
  Deno.test(`SlotQueue returns ${name} in order`, () => {
    const queue = new SlotQueue();
    for (const slot of slots) queue.push(slot);
    assertEquals(slots.map(() => queue.shift()), slots);
  });
}
