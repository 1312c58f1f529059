import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { RowPage } from "../../lib/data/mod.ts";
import { RowPages } from "../../web/view/page/rows.js";

Deno.test("a request that fails late does not drop the rows of a newer one", async () => {
  const answers: PromiseWithResolvers<RowPage>[] = [];
  const pages = new RowPages(() => {
    const answer = Promise.withResolvers<RowPage>();
    answers.push(answer);
    return answer.promise;
  }, () => {});
  const pageOf = (uid: string) => ({ rows: [{ uid }] }) as unknown as RowPage;
  const settled = async () => {
    await Promise.allSettled(answers.map(({ promise }) => Promise.race([promise, null])));
  };
  const request = () => {
    pages.markStale();
    pages.request(0, 9);
  };
  request();
  answers[0].resolve(pageOf("old"));
  await settled();
  request();
  request();
  answers[2].resolve(pageOf("new"));
  await settled();
  answers[1].reject(new Error("no response"));
  await settled();
  assertEquals(pages.rowAt(0)?.uid, "new");
});
