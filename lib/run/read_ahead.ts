/**
 * Has the next batch ready before it is asked for, so that rows are read and parsed while lanes wait
 * for the disk or the teacher.
 *
 * @module
 */

/** Gives the batches of a source, always with one more on its way. */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    while (true) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      // It is told when it is asked for; until then it is nobody's fault.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}
