export async function runService(_: unknown): Promise<number> {
  return 125;
}
