/** The tests among the examples, which users read: they run as any other one. */
await import("../docs/examples/switch-ports.test.ts");
