/** Runs `work` on every value, at most `width` at a time, and gives the results in the values' order. */
export async function map<T, R>(
  values: readonly T[],
  width: number,
  work: (value: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(values.length);
  const left = values.entries();
  const worker = async () => {
    for (const [index, value] of left) results[index] = await work(value);
  };
  await Promise.all(Array.from({ length: Math.min(width, values.length) }, worker));
  return results;
}
