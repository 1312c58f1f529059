import { assertEquals } from "../../lib/deps/std_assert.ts";
import { Plan, Todo } from "../../lib/run/plan.ts";

Deno.test("Plan is empty at first", () => {
  const plan = new Plan();
  assertEquals([plan.length, plan.toAsk, plan.count(Todo.Skip), plan.nameOf(0)], [
    0,
    0,
    0,
    undefined,
  ]);
});

Deno.test("Plan gives back each decision and counts them", () => {
  const plan = new Plan();
  const todos = [Todo.Ask, Todo.Skip, Todo.AskAgain, Todo.Bad, Todo.Ask, Todo.Ask];
  for (const todo of todos) plan.push(todo);
  assertEquals(todos.map((_, index) => plan.at(index)), todos);
  assertEquals(plan.length, 6);
  assertEquals(plan.toAsk, 4);
  assertEquals([Todo.Skip, Todo.Ask, Todo.AskAgain, Todo.Bad].map((todo) => plan.count(todo)), [
    1,
    3,
    1,
    1,
  ]);
});

Deno.test("Plan keeps its decisions while it grows", () => {
  const plan = new Plan();
  const todoOf = (index: number): Todo => index * index % 4;
  for (let i = 0; i < 20_000; i++) plan.push(todoOf(i));
  let wrong = 0;
  for (let i = 0; i < 20_000; i++) if (plan.at(i) !== todoOf(i)) wrong++;
  assertEquals(wrong, 0);
  assertEquals(plan.length, 20_000);
});

Deno.test("Plan.rename() gives one row another id, and only that row", () => {
  const plan = new Plan();
  for (let i = 0; i < 3; i++) plan.push(Todo.Ask);
  plan.rename(1, "a~2");
  assertEquals([0, 1, 2].map((index) => plan.nameOf(index)), [undefined, "a~2", undefined]);
});
