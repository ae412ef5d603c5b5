import { run } from '@auditing/service/run';
import { archiveService } from './service';

await run(archiveService);
