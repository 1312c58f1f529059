export declare class BinaryHeap<T> implements Iterable<T> {
  /** `compare(a, b)` below 0 means that `a` leaves the heap before `b`. */
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
