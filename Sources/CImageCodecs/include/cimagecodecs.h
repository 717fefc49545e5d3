// Thin wrappers over libpng, libjpeg-turbo and libwebp whose errors do not longjmp through Swift.
#pragma once
