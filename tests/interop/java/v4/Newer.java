/** What only 5.x clients have. */
final class Newer {
    private Newer() {
    }

    static void register() {
        Harness.lacking("heartbeat-v2", "namespace-v2", "send-auto-batch", "send-compressed-lz4", "send-compressed-zstd",
            "send-delay-ms", "send-recall", "consume-pop");
    }
}
