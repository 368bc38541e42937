/** The machines that SLICECTL_LAB names; undefined where it names none. */
export const chosen: readonly string[] | undefined = process.env.SLICECTL_LAB?.split(',');
