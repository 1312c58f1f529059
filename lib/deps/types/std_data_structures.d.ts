export declare class BinaryHeap<T> implements Iterable<T> {
  /** `a` leaves the heap before `b` if `compare(a, b)` is below 0. */
  constructor(compare?: (a: T, b: T) => number);
  readonly length: number;
  peek(): T | undefined;
  pop(): T | undefined;
  push(...values: T[]): number;
  clear(): void;
  isEmpty(): boolean;
  drain(): IterableIterator<T>;
  [Symbol.iterator](): IterableIterator<T>;
}
