import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The administrative commands of the `broker` script in one class: a command costs one short start of Java, and a
 * key can be taken out of each JSON line while producing.
 *
 * <p>Arguments: the client's properties file, the command, then the command's own arguments.
 */
public final class Admin {
    private Admin() {}

    public static void main(String[] arguments) throws Exception {
        List<String> rest = new ArrayList<>(List.of(arguments));
        Properties client = new Properties();
        try (var in = Files.newBufferedReader(Path.of(rest.remove(0)))) {
            client.load(in);
        }
        String command = rest.remove(0);
        try {
            if (command.equals("produce")) {
                produce(client, rest);
            } else {
                try (AdminClient admin = AdminClient.create(client)) {
                    administer(admin, command, rest);
                }
            }
        } catch (ExecutionException failed) {
            System.err.println("broker: " + command + " failed: " + failed.getCause().getMessage());
            System.exit(1);
        }
    }

    private static void administer(AdminClient admin, String command, List<String> rest) throws Exception {
        String topic = rest.isEmpty() ? "" : rest.remove(0);
        switch (command) {
            case "create-topic" -> {
                int partitions = rest.isEmpty() ? 1 : Integer.parseInt(rest.remove(0));
                NewTopic wanted = new NewTopic(topic, Optional.of(partitions), Optional.of((short) 1));
                Map<String, String> configs = settings(rest);
                admin.createTopics(List.of(wanted.configs(configs))).all().get();
                System.out.printf("created topic %s with %d partition(s) %s%n", topic, partitions, configs);
            }
            case "delete-topic" -> {
                admin.deleteTopics(List.of(topic)).all().get();
                System.out.printf("deleted topic %s%n", topic);
            }
            case "add-partitions" -> {
                int total = Integer.parseInt(rest.remove(0));
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(total))).all().get();
                System.out.printf("topic %s has %d partitions now%n", topic, total);
            }
            case "alter-config" -> {
                Map<String, String> configs = settings(rest);
                List<AlterConfigOp> changes = configs.entrySet().stream()
                        .map(e -> new AlterConfigOp(
                                new ConfigEntry(e.getKey(), e.getValue()), AlterConfigOp.OpType.SET))
                        .collect(Collectors.toList());
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
                System.out.printf("topic %s: set %s%n", topic, configs);
            }
            case "delete-records" -> {
                TopicPartition partition = new TopicPartition(topic, Integer.parseInt(rest.remove(0)));
                long before = Long.parseLong(rest.remove(0));
                long low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before)))
                        .lowWatermarks().get(partition).get().lowWatermark();
                System.out.printf("%s starts at offset %d now%n", partition, low);
            }
            case "topics" -> topics(admin, topic);
            default -> throw new IllegalArgumentException("unknown command " + command);
        }
    }

    private static void topics(AdminClient admin, String only) throws Exception {
        var names = only.isEmpty() ? admin.listTopics().names().get() : List.of(only);
        for (TopicDescription topic : admin.describeTopics(names).allTopicNames().get().values()) {
            List<TopicPartition> partitions = topic.partitions().stream()
                    .map(p -> new TopicPartition(topic.name(), p.partition())).collect(Collectors.toList());
            var low = admin.listOffsets(partitions.stream()
                    .collect(Collectors.toMap(p -> p, p -> OffsetSpec.earliest()))).all().get();
            var high = admin.listOffsets(partitions.stream()
                    .collect(Collectors.toMap(p -> p, p -> OffsetSpec.latest()))).all().get();
            for (TopicPartition p : partitions) {
                System.out.printf("%s id=%s partition=%d offsets=%d..%d%n", topic.name(), topic.topicId(),
                        p.partition(), low.get(p).offset(), high.get(p).offset());
            }
        }
    }

    private static Map<String, String> settings(List<String> words) {
        return words.stream().map(word -> word.split("=", 2)).peek(pair -> {
            if (pair.length != 2) {
                throw new IllegalArgumentException("expected NAME=VALUE, got " + pair[0]);
            }
        }).collect(Collectors.toMap(pair -> pair[0], pair -> pair[1]));
    }

    /** produce FILE TOPIC KEY_POINTER|"" COMPRESSION; FILE may be `-`. One record a line, empty lines left out. */
    private static void produce(Properties client, List<String> rest) throws Exception {
        String file = rest.get(0);
        String topic = rest.get(1);
        String key = rest.get(2);
        client.put("compression.type", rest.get(3));
        client.put("acks", "all");
        client.put("linger.ms", "20");
        client.put("batch.size", "262144");
        client.put("key.serializer", ByteArraySerializer.class.getName());
        client.put("value.serializer", ByteArraySerializer.class.getName());
        ObjectMapper json = new ObjectMapper();
        AtomicReference<Exception> failure = new AtomicReference<>();
        long lines = 0;
        long keyless = 0;
        try (var in = file.equals("-")
                        ? new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))
                        : Files.newBufferedReader(Path.of(file));
                var producer = new KafkaProducer<byte[], byte[]>(client)) {
            for (String line; (line = in.readLine()) != null && failure.get() == null;) {
                if (line.isBlank()) {
                    continue;
                }
                byte[] keyBytes = null;
                if (!key.isEmpty()) {
                    JsonNode found = json.readTree(line).at(key);
                    if (found.isValueNode() && !found.isNull()) {
                        keyBytes = found.asText().getBytes(StandardCharsets.UTF_8);
                    } else {
                        keyless++;
                    }
                }
                producer.send(new ProducerRecord<>(topic, keyBytes, line.getBytes(StandardCharsets.UTF_8)),
                        (metadata, error) -> {
                            if (error != null) {
                                failure.compareAndSet(null, error);
                            }
                        });
                lines++;
            }
            producer.flush();
        }
        if (failure.get() != null) {
            throw new ExecutionException(failure.get());
        }
        System.out.printf("produced %d record(s) to %s%s%n", lines, topic,
                keyless == 0 ? "" : ", " + keyless + " of them without the key " + key);
    }
}
