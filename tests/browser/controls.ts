/** Controls of a run, used on the page. */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { visit, visitStill } from "./browser.ts";
import { startJob } from "./job.ts";
import { makeSnapshot } from "../progress/fixtures.ts";
import { section, stateWord, tileShows } from "./parts.ts";
import { stageRun } from "./staged_run.ts";

Deno.test("page: pause and resume", async () => {
  await using job = await startJob(50);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  await tileShows(page, "In flight / limit", "8 / 8");
  await page.getByRole("button", { name: "Pause" }).click();
  await stateWord(page, "Paused").waitFor();
  assertEquals(job.generator.state, "paused");
  job.teacher.release(8);
  await tileShows(page, "Answered", "8");
  assertEquals(job.teacher.held, 0, "nothing new is sent");
  await page.getByRole("button", { name: "Resume" }).click();
  await stateWord(page, "Running").waitFor();
  assertEquals(job.generator.state, "running");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  const events = section(page, "Events").getByRole("listitem");
  await events.filter({ hasText: "Paused (from the monitor)" }).waitFor();
  await events.filter({ hasText: "Resumed (from the monitor)" }).waitFor();
});

Deno.test("page: controls change together with the rest of the page, and do not wait for a clock", async () => {
  await using job = await startJob(50, { concurrency: 7 });
  await using visited = await visit(job.served.url, {
    initScript: () => void Reflect.set(globalThis, "setInterval", () => 0),
  });
  const { page } = visited;
  await stateWord(page, "Running").waitFor();
  await page.getByRole("button", { name: "Pause", disabled: false }).click();
  await stateWord(page, "Paused").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await stateWord(page, "Running").waitFor();
  assertEquals(job.generator.state, "running");
  assertEquals(await page.getByRole("spinbutton", { name: "Concurrency" }).inputValue(), "7");
});

Deno.test("page: sets another concurrency, which must be valid", async () => {
  await using job = await startJob(50);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  const field = page.getByRole("spinbutton", { name: "Concurrency" });
  await stateWord(page, "Running").waitFor();
  await field.fill("12");
  await page.getByRole("button", { name: "Apply concurrency" }).click();
  await tileShows(page, "In flight / limit", "12 / 12");
  assertEquals([job.generator.concurrency, job.teacher.held], [12, 12]);
  await field.fill("5");
  await field.press("Enter");
  await section(page, "Events").getByText("Concurrency set to 5 (from the monitor)").waitFor();
  for (const wrong of ["0", "-1", "1.5", "1000000", ""]) {
    await field.fill(wrong);
    await field.press("Enter");
    assert(await field.evaluate((input) => input.matches(":invalid")), wrong);
  }
  assertEquals(job.generator.concurrency, 5);
});

Deno.test("page: text that is typed while an answer is on its way is not overwritten", async () => {
  await using job = await startJob(50);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  await page.route("**/control/concurrency", async (route) => {
    const response = await route.fetch();
    await isReleased;
    await route.fulfill({ response });
  });
  const field = page.getByRole("spinbutton", { name: "Concurrency" });
  await stateWord(page, "Running").waitFor();
  await field.fill("12");
  await field.press("Enter");
  await tileShows(page, "In flight / limit", "12 / 12");
  await field.fill("5");
  release();
  await section(page, "Controls").getByText("Concurrency is 12").waitFor();
  job.teacher.release(3);
  await tileShows(page, "Answered", "3");
  assertEquals(await field.inputValue(), "5");
  await field.press("Enter");
  await section(page, "Controls").getByText("Concurrency is 5").waitFor();
  assertEquals(job.generator.concurrency, 5);
});

Deno.test("page: sets another budget, or none", async () => {
  await using job = await startJob(50);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  const field = page.getByRole("spinbutton", { name: "Budget in US dollars" });
  const apply = page.getByRole("button", { name: "Apply budget" });
  await stateWord(page, "Running").waitFor();
  await field.fill("0.75");
  await apply.click();
  await section(page, "Overview").getByText("cap $0.75").waitFor();
  assertEquals(job.generator.snapshot()?.max_cost_usd, 0.75);
  await field.fill("");
  await apply.click();
  await section(page, "Overview").getByText("no cap").waitFor();
  assertEquals(job.generator.snapshot()?.max_cost_usd, null);
  job.teacher.release(20);
  await tileShows(page, "Answered", "20");
  await field.fill("0.001");
  await section(page, "Controls").getByText("not applied").last().waitFor();
  await apply.click();
  const dialog = page.getByRole("dialog", { name: "Stop the run with this budget?" });
  await dialog.getByText("The run has spent $0.01").waitFor();
  await dialog.getByRole("button", { name: "Keep the current budget" }).click();
  assertEquals(job.generator.snapshot()?.max_cost_usd, null);
  await apply.click();
  await dialog.getByRole("button", { name: "Set budget and stop" }).click();
  await stateWord(page, "Halted").or(stateWord(page, "Draining")).first().waitFor();
  job.teacher.open();
  assertEquals((await job.summary).state, "halted");
  await stateWord(page, "Halted").waitFor();
});

Deno.test("page: failed rows are retried at the end of the run, or not", async () => {
  await using job = await startJob(50);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  const { monitor } = job.served;
  const toggle = page.getByRole("switch", { name: "Retry failed rows at the end" });
  await stateWord(page, "Running").waitFor();
  await toggle.click();
  await section(page, "Events").getByText("Failed rows will be retried").waitFor();
  assertEquals([monitor.retryWhenDone, await toggle.isChecked()], [true, true]);
  await page.reload();
  // The server remembers the choice.
  await page.getByRole("switch", { name: /^Retry failed rows/, checked: true }).waitFor();
  await toggle.press("Space");
  await section(page, "Events").getByText("Failed rows will not be retried").waitFor();
  assertEquals([monitor.retryWhenDone, await toggle.isChecked()], [false, false]);
});

Deno.test("page: drain and stop, after a confirmation", async () => {
  await using job = await startJob(50);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  const stop = page.getByRole("button", { name: "Drain and stop" });
  const dialog = page.getByRole("dialog", { name: "Drain and stop?" });
  job.teacher.release(5);
  await tileShows(page, "Answered", "5");
  await stop.click();
  await dialog.getByRole("button", { name: "Keep running" }).click();
  await stop.click();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assertEquals(job.generator.state, "running");
  await stop.click();
  await dialog.getByRole("button", { name: "Drain and stop" }).click();
  await stateWord(page, "Draining").waitFor();
  await page.getByRole("button", { name: "Drain and stop", disabled: true }).waitFor();
  job.teacher.open();
  const { state, succeeded, pending } = await job.summary;
  assertEquals([state, succeeded, pending], ["interrupted", 13, 37]);
  await stateWord(page, "Stopped").waitFor();
});

Deno.test("page: abort, once the word is typed", async () => {
  await using job = await startJob(50);
  await using visited = await visit(job.served.url);
  const { page } = visited;
  const dialog = page.getByRole("dialog", { name: "Abort the run?" });
  const word = dialog.getByRole("textbox", { name: "Type abort to confirm" });
  const abort = dialog.getByRole("button", { name: "Abort" });
  job.teacher.release(5);
  await tileShows(page, "Answered", "5");
  await page.getByRole("button", { name: /^Abort/ }).click();
  assert(await abort.isDisabled());
  await word.fill("abor");
  assert(await abort.isDisabled());
  await word.press("Enter");
  assertEquals(job.generator.state, "running");
  await word.fill("abort");
  await abort.click();
  const { state, succeeded, pending } = await job.summary;
  assertEquals([state, succeeded, pending], ["interrupted", 5, 45]);
  await stateWord(page, "Stopped").waitFor();
  await page.getByText("The run has ended").waitFor();
});

Deno.test("page: a budget of which a shard has spent its share, earlier runs included, is confirmed", async () => {
  await using stage = stageRun();
  await using visited = await visitStill(stage.served.url);
  const { page } = visited;
  const field = page.getByRole("spinbutton", { name: "Budget in US dollars" });
  // Half of the budget is the shard's, and its earlier runs have spent 40 of it.
  const costs = { cost_usd: 4, budget_usd: 100, max_cost_usd: 10, min_budget_usd: 88 };
  stage.run.emit(makeSnapshot({ ...stage.run.now, state: "running", ...costs }));
  stage.strike(2);
  await section(page, "Controls").getByText("share of $100").waitFor();
  await field.fill("85");
  await page.getByRole("button", { name: "Apply budget" }).click();
  const dialog = page.getByRole("dialog", { name: "Stop the run with this budget?" });
  await dialog.getByRole("button", { name: "Keep the current budget" }).click();
  await field.fill("89");
  await page.getByRole("button", { name: "Apply budget" }).click();
  await section(page, "Controls").getByText("The budget is $89").waitFor();
  assertEquals(stage.run.calls.filter((call) => call.startsWith("setMaxCost")), ["setMaxCost(89)"]);
});
