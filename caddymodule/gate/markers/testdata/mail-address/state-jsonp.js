/**/ typeof cb === 'function' && cb({"subscriber": "mika.aoyama@mail.example"});
